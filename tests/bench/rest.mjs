// SPDX-License-Identifier: Apache-2.0
//
// The REST bench: what a call costs over HTTP, beside bare libmicrohttpd and nginx in the same run; whether the node
// stalls at any number of connections; and what slow clients do to a good one. docs/benchmarks.md says how to read it.
//
// usage: rest.mjs [--quick] [call] [stall] [slow]        (none: all three)
//
// TROUPED      the node, build/trouped
// BENCH_TOOLS  the folder of bare_mhd and slow_clients, build
//
// Rounds are interleaved: each round loads every target once, and a ratio is taken inside its round, so that a machine
// that changes its speed changes both sides.

import path from 'node:path'
import { announced, end, endAll, load, start, startBare, startNginx, startTrouped } from './servers.mjs'

const NOW = 1.4 // times bare libmicrohttpd, what a call must be within already
const GOAL = 1.25
const SLOW_GOAL = 2 // times the p99 without slow clients
const STALL_CONNECTIONS = [64, 128, 256, 1000]
const STALL_SHARE = 0.25 // of the rate at the first of them: below it is a stall (a real one leaves 0.01)
const SLOW_CLIENTS = 3000
const ACTORS = 10_000
const ADD = '{"by":1}'

const trouped = process.env.TROUPED ?? 'build/trouped'
const tools = process.env.BENCH_TOOLS ?? 'build'
const parts = process.argv.slice(2).filter((word) => word !== '--quick')
const quick = process.argv.includes('--quick')
const rounds = quick ? 3 : 5
const seconds = quick ? 1 : 3
const slowSeconds = quick ? 1 : 12 // beyond the deadline for a head: slow clients are closed, and come again
const wants = (part) => parts.length === 0 || parts.includes(part)

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
const fixed = (value, digits, width) => value.toFixed(digits).padStart(width)
const verdict = (value, limit) => (value <= limit ? 'met' : 'missed')

// ---- the actors ----

async function post(url, body, wanted) {
  const answer = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
  const text = await answer.text()
  if (answer.status !== wanted) throw new Error(`POST ${url}: ${answer.status} ${text}`)
  return JSON.parse(text)
}

async function spawnCounters(api, count) {
  const one = (i) => post(`${api}/v1/actors`, JSON.stringify({ behavior: 'counter', name: `bench-${i}` }), 201)
  for (let i = 0; i < count; i += 100) {
    await Promise.all(Array.from({ length: Math.min(100, count - i) }, (_, k) => one(i + k)))
  }
}

async function counterValue(api, name) {
  const answer = await fetch(`${api}/v1/actors/@${name}/call/get`)
  return (await answer.json()).value
}

// ---- one call ----

async function benchCall(node, bare, nginx) {
  await post(`${node.url}/v1/actors`, '{"behavior":"counter","name":"hot"}', 201)
  await spawnCounters(node.url, ACTORS)
  const hot = '/v1/actors/@hot/call/'
  const getBare = { name: 'GET  bare libmicrohttpd', server: bare, method: 'GET', path: `${hot}get` }
  const postBare = { name: 'POST bare libmicrohttpd', server: bare, method: 'POST', path: `${hot}add`, body: ADD }
  const adds = { name: 'POST one actor', server: node, method: 'POST', path: `${hot}add`, body: ADD, beside: postBare }
  const targets = [
    getBare,
    postBare,
    { name: 'GET  nginx return 200', server: nginx, method: 'GET', path: `${hot}get`, beside: getBare,
      yardstick: true },
    { name: 'GET  one actor', server: node, method: 'GET', path: `${hot}get`, beside: getBare },
    adds,
    { name: 'POST 10,000 actors', server: node, method: 'POST', path: '/v1/actors/@bench-%d/call/add', body: ADD,
      spread: ACTORS, beside: postBare }
  ]
  for (const target of targets) await load(target, { connections: 64, seconds: 1 })
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) {
      target.results ??= []
      target.results.push(await load(target, { connections: 64, seconds }))
    }
  }
  console.log(`\nREST call, 64 keep-alive connections, one server thread, medians of ${rounds} rounds of ${seconds} s`)
  console.log('target                    CPU us/req   min ..   max     req/s  p99 ms  errors   ratio  ' +
    'now <= 1.40  goal <= 1.25')
  for (const target of targets) printCall(target)

  const value = await counterValue(node.url, 'hot')
  const counted = adds.results.reduce((sum, result) => sum + result.requests - result.refused, 0)
  if (!(value >= counted)) throw new Error(`the counter is at ${value} after ${counted} calls that were answered`)
}

function printCall({ name, results, beside, yardstick }) {
  const of = (key) => results.map((result) => result[key])
  const cpu = of('cpu_us')
  let line = `${name.padEnd(24)}  ${fixed(median(cpu), 2, 9)} ${fixed(Math.min(...cpu), 2, 7)} .. ` +
    `${fixed(Math.max(...cpu), 2, 5)} ${fixed(median(of('rate')), 0, 9)} ${fixed(median(of('p99_us')) / 1000, 2, 7)} ` +
    `${String(of('errors').reduce((a, b) => a + b)).padStart(7)}`
  if (beside) {
    const ratio = median(cpu.map((value, round) => value / beside.results[round].cpu_us))
    line += ` ${fixed(ratio, 2, 5)} x`
    if (!yardstick) line += `  ${verdict(ratio, NOW).padEnd(11)}  ${verdict(ratio, GOAL)}`
  }
  console.log(line)
}

// ---- no stall at any number of connections ----

async function benchStall(node, bare) {
  await post(`${node.url}/v1/actors`, '{"behavior":"counter","name":"crowded"}', 201)
  const route = '/v1/actors/@crowded/call/'
  const targets = [
    { name: 'bare libmicrohttpd GET', server: bare, method: 'GET', path: `${route}get` },
    { name: 'trouped GET', server: node, method: 'GET', path: `${route}get` },
    { name: 'trouped POST', server: node, method: 'POST', path: `${route}add`, body: ADD }
  ]
  console.log(`\nConnections, ${seconds} s each; a stall is less than ${STALL_SHARE} of the rate at ` +
    `${STALL_CONNECTIONS[0]}, or an error`)
  console.log('target                    connections     req/s  p50 ms  p99 ms  max ms  errors  verdict')
  for (const target of targets) {
    let first = 0
    for (const connections of STALL_CONNECTIONS) {
      const result = await load(target, { connections, seconds })
      first ||= result.rate
      const stalls = result.rate < first * STALL_SHARE || result.errors > 0
      console.log(`${target.name.padEnd(24)}  ${String(connections).padStart(11)} ${fixed(result.rate, 0, 9)} ` +
        `${fixed(result.p50_us / 1000, 2, 7)} ${fixed(result.p99_us / 1000, 2, 7)} ` +
        `${fixed(result.max_us / 1000, 1, 7)} ${String(result.errors).padStart(7)}  ${stalls ? 'stalls' : 'no stall'}`)
    }
  }
}

// ---- slow clients beside a good one ----

// Slow clients that act each at a time of its own, and the same number that act all in the same instant.
async function benchSlow(node) {
  await post(`${node.url}/v1/actors`, '{"behavior":"counter","name":"patient"}', 201)
  const target = { server: node, method: 'POST', path: '/v1/actors/@patient/call/add', body: ADD }
  console.log(`\n${SLOW_CLIENTS} slow clients (a third silent, a third trickling a head, a third with half a head) ` +
    'beside wrk -c 64')
  console.log('they act    p99 ms alone  p99 ms beside  ratio  goal <= 2    req/s alone  req/s beside  errors  ' +
    'closed by the node  refused')
  await benchCrowd(target, 'singly', [])
  await benchCrowd(target, 'together', ['together'])
}

async function benchCrowd(target, label, args) {
  const node = target.server
  const pairs = []
  await load(target, { connections: 64, seconds: 1 })
  let reopened = 0
  let refused = 0
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const alone = await load(target, { connections: 64, seconds: slowSeconds })
    const slow = start(path.join(tools, 'slow_clients'), [new URL(node.url).port, String(SLOW_CLIENTS), ...args])
    await announced(slow)
    const beside = await load(target, { connections: 64, seconds: slowSeconds })
    slow.stdin.end()
    const ended = await announced(slow)
    reopened += ended.closed_by_server
    refused += ended.refused
    await end(slow)
    pairs.push({ alone, beside })
  }
  const p99 = (key) => median(pairs.map((pair) => pair[key].p99_us)) / 1000
  const ratio = p99('beside') / p99('alone')
  const errors = pairs.reduce((sum, { alone, beside }) => sum + alone.errors + beside.errors, 0)
  console.log(`${label.padEnd(10)} ${fixed(p99('alone'), 2, 13)} ${fixed(p99('beside'), 2, 14)} ${fixed(ratio, 2, 4)} x  ` +
    `${verdict(ratio, SLOW_GOAL).padEnd(9)} ${fixed(median(pairs.map(({ alone }) => alone.rate)), 0, 14)} ` +
    `${fixed(median(pairs.map(({ beside }) => beside.rate)), 0, 13)} ${String(errors).padStart(7)} ` +
    `${String(reopened).padStart(19)} ${String(refused).padStart(8)}`)
}

// ---- the run ----

async function main() {
  for (const part of parts) {
    if (!['call', 'stall', 'slow'].includes(part)) throw new Error(`there is no part "${part}": call, stall or slow`)
  }
  const bare = await startBare(path.join(tools, 'bare_mhd'))
  const node = await startTrouped(trouped)
  if (wants('call')) await benchCall(node, bare, await startNginx())
  if (wants('stall')) await benchStall(node, bare)
  if (wants('slow')) await benchSlow(node)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => endAll().finally(() => process.exit(1)))
}
main()
  .catch((error) => {
    console.error(`rest.mjs: ${error.message}`)
    process.exitCode = 1
  })
  .finally(endAll)
