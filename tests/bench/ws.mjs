// SPDX-License-Identifier: Apache-2.0
//
// The bench of WebSocket and event streams: what an idle session and an idle stream cost in memory, what a call over
// WebSocket costs with and without many idle ones beside it, and what one event costs for each that hears it. Beside
// bare libwebsockets in the same run. docs/benchmarks.md says how to read it.
//
// usage: ws.mjs [--quick]
//
// TROUPED      the node, build/trouped
// BENCH_TOOLS  the folder of bare_lws and ws_load, build
//
// Rounds are interleaved: each round loads every target once, and a ratio is taken inside its round, so that a machine
// that changes its speed changes both sides.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { announced, endAll, start, startBare, startTrouped } from './servers.mjs'

const BESIDE_GOAL = 1.3 // times the CPU of a call without idle ones
const MEMORY_GOAL = 4096 // bytes of an idle session
const ACTIVE = 100
const EVENTS = 20
const BODY = 'x'.repeat(64)

const trouped = process.env.TROUPED ?? 'build/trouped'
const tools = process.env.BENCH_TOOLS ?? 'build'
const quick = process.argv.includes('--quick')
const rounds = quick ? 3 : 5
const seconds = quick ? 1 : 3
const sessions = quick ? 2000 : 10_000
const streams = quick ? 200 : 1000

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
const fixed = (value, digits, width) => value.toFixed(digits).padStart(width)
const verdict = (value, limit) => (value <= limit ? 'met' : 'missed')

function anonymousBytes({ pid }) {
  return Number(/^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024
}

// ---- the targets ----

class Target {
  results = []

  constructor(name, server, text) {
    Object.assign(this, { name, server, text })
    this.load = start(path.join(tools, 'ws_load'), [new URL(server.url).port, String(server.pid)])
  }

  async order(line) {
    this.load.stdin.write(`${line}\n`)
    return announced(this.load)
  }

  /** Open what stays; gives the server's bytes for each. Some before, so that what is made on first use is there. */
  async fill(line, count) {
    await this.order(`${line.replace('#', '100')}`)
    const before = anonymousBytes(this.server)
    await this.order(`${line.replace('#', String(count - 100))}`)
    this.bytes = (anonymousBytes(this.server) - before) / (count - 100)
  }

  async echo(duration) {
    const result = await this.order(`echo ${ACTIVE} ${duration} ${this.text}`)
    return { cpu: result.cpu_us / result.messages, rate: result.messages / result.seconds }
  }
}

async function post(url, body) {
  const answer = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
  if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

async function node(name) {
  const server = await startTrouped(trouped)
  const { ref } = await post(`${server.url}/v1/actors`, '{"behavior":"echo"}')
  const topic = (await post(`${server.url}/v1/actors`, '{"behavior":"topic"}')).ref
  const target = new Target(name, server, `{"op":"call","id":1,"to":"${ref}","type":"echo","body":"${BODY}"}`)
  return Object.assign(target, { topic })
}

async function bare(name) {
  const text = `{"op":"call","id":1,"to":"n.0000000000000.1.1","type":"echo","body":"${BODY}"}`
  return new Target(name, await startBare(path.join(tools, 'bare_lws')), text)
}

// ---- a call, with and without idle ones ----

async function benchEcho() {
  const lws = await bare('bare libwebsockets')
  const lwsFull = await bare(`bare, ${sessions} idle`)
  const alone = await node('call')
  const full = await node(`call, ${sessions} idle`)
  const heard = await node(`call, ${streams} streams`)
  await lwsFull.fill('sessions #', sessions)
  await full.fill('sessions #', sessions)
  await heard.fill(`streams # /v1/actors/${heard.topic}/events`, streams)
  const targets = [lws, lwsFull, alone, full, heard]
  for (const target of targets) await target.echo(0.5)
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) target.results.push(await target.echo(seconds))
  }
  console.log(`\nA message over WebSocket, ${ACTIVE} active sessions, one server thread, medians of ${rounds} rounds ` +
    `of ${seconds} s`)
  console.log('target                    CPU us/msg   min ..   max     msg/s   x bare  x alone  goal <= 1.3  ' +
    'bytes each  goal <= 4096')
  print(lws, lws, null)
  print(lwsFull, lws, lws)
  print(alone, lws, null)
  print(full, lws, alone)
  print(heard, lws, alone)
}

function print({ name, results, bytes }, yardstick, without) {
  const cpu = results.map((result) => result.cpu)
  const beside = (other) => median(cpu.map((value, round) => value / other.results[round].cpu))
  const rate = median(results.map((result) => result.rate))
  let line = `${name.padEnd(24)}  ${fixed(median(cpu), 2, 10)} ${fixed(Math.min(...cpu), 2, 7)} .. ` +
    `${fixed(Math.max(...cpu), 2, 5)} ${fixed(rate, 0, 9)}  ${fixed(beside(yardstick), 2, 7)}`
  if (without) {
    const ratio = beside(without)
    line += `  ${fixed(ratio, 2, 7)}  ${verdict(ratio, BESIDE_GOAL).padEnd(11)}`
  }
  if (bytes) line += `  ${fixed(bytes, 0, 10)}  ${verdict(bytes, MEMORY_GOAL)}`
  console.log(line)
}

// ---- one event for many ----

async function benchPublish() {
  const rows = [['sessions', sessions / 10], ['sessions', sessions], ['streams', streams]]
  console.log(`\nOne event for many, median of ${rounds} times ${EVENTS} events, each awaited by all`)
  console.log('who hears it              CPU us/delivery   deliveries/s  ms until all have it')
  for (const [kind, count] of rows) {
    const target = await node(`${count} ${kind}`)
    if (kind === 'sessions') {
      await target.order(`sessions ${count}`)
      await target.order(`say {"op":"subscribe","id":1,"to":"${target.topic}"}`)
    } else {
      await target.order(`streams ${count} /v1/actors/${target.topic}/events`)
    }
    const cast = `{"op":"cast","to":"${target.topic}","type":"news","body":"${BODY}"}`
    const results = []
    for (let round = 0; round < rounds; round++) results.push(await target.order(`publish ${EVENTS} ${cast}`))
    const of = (figure) => median(results.map(figure))
    console.log(`${target.name.padEnd(24)}  ${fixed(of((r) => r.cpu_us / r.messages), 2, 15)}  ` +
      `${fixed(of((r) => r.messages / r.seconds), 0, 13)}  ${fixed(of((r) => (r.seconds * 1000) / EVENTS), 2, 20)}`)
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => endAll().finally(() => process.exit(1)))
}
benchEcho()
  .then(benchPublish)
  .catch((error) => {
    console.error(`ws.mjs: ${error.message}`)
    process.exitCode = 1
  })
  .finally(endAll)
