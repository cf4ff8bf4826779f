// SPDX-License-Identifier: Apache-2.0
//
// Behaviors that block, in a real node: where they run, what they do not hold up, and how a node ends with them.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'

import { compile } from './lib/plugin.mjs'
import { parseMetrics } from './lib/prometheus.mjs'
import { start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const STUCK = 70
const source = readFileSync(new URL('../plugins/sleeper.c', import.meta.url), 'utf8')

/** A node with one worker, so that a turn that blocked it would hold up everything. */
async function startWithSleepers(t, args = []) {
  const folder = temporaryFolder(t)
  const node = await start(t, ['--workers', '1', '--behavior', compile(folder, 'sleeper', source), ...args], { folder })
  node.call = async (ref, type, json) => {
    const target = `/v1/actors/${ref}/call/${type}?timeout=60s`
    const response = await node.request('POST', target, json === undefined ? {} : { json })
    assert.equal(response.status, 200, response.text)
    return response.json
  }
  node.figure = async (name) => parseMetrics((await node.request('GET', '/metrics')).text).get(name).samples[0].value
  node.threads = () =>
    readdirSync(`/proc/${node.pid}/task`)
      .map((task) => readFileSync(`/proc/${node.pid}/task/${task}/comm`, 'utf8').trim())
      .filter((name) => name.startsWith('blocking-'))
  node.spawnMany = async (count, behavior) => {
    const actors = []
    for (let i = 0; i < count; i++) actors.push((await node.spawn(behavior)).ref)
    return actors
  }
  return node
}

test('four turns that block do not hold up ordinary calls', async (t) => {
  const node = await startWithSleepers(t)
  const sleepers = await node.spawnMany(5, 'sleeper')
  const { ref: counter } = await node.spawn('counter')
  const { ref: gate } = await node.spawn('gate')
  const held = sleepers.map((ref) => node.call(ref, 'hold'))
  await eventually(async () => (await node.figure('troupe_blocking_busy')) === 4, 'four turns that block')
  for (let i = 1; i <= 100; i++) assert.equal((await node.call(counter, 'add', { by: 1 })).value, i)
  assert.equal(await node.figure('troupe_blocking_busy'), 4)
  assert.equal(await node.figure('troupe_blocking_waiting'), 1) // the fifth has no thread
  await node.call(gate, 'open')
  for (const name of await Promise.all(held)) assert.match(name, /^blocking-[0-3]$/)
})

test('while four turns sleep for 500 ms, ordinary calls are answered', async (t) => {
  const node = await startWithSleepers(t)
  const sleepers = await node.spawnMany(4, 'sleeper')
  const { ref: counter } = await node.spawn('counter')
  let woke = 0
  const slept = sleepers.map((ref) => node.call(ref, 'sleep', 500).then(() => woke++))
  let answered = 0
  while (woke === 0) {
    await node.call(counter, 'add', { by: 1 })
    if (woke === 0) answered++
  }
  await Promise.all(slept)
  assert.ok(answered >= 5, `${answered} calls were answered meanwhile; a worker that is held up answers none`)
})

test('only behaviors that declare it run on threads for blocking work', async (t) => {
  const node = await startWithSleepers(t)
  const [sleeper] = await node.spawnMany(1, 'sleeper')
  const [gate] = await node.spawnMany(1, 'gate')
  for (let i = 0; i < 20; i++) {
    assert.match(await node.call(sleeper, 'where'), /^blocking-/)
    assert.doesNotMatch(await node.call(gate, 'where'), /^blocking-/)
  }
})

test('threads for blocking work are made when they are needed', async (t) => {
  const node = await startWithSleepers(t)
  await node.spawn('counter')
  assert.deepEqual(node.threads(), [])
  const [sleeper] = await node.spawnMany(1, 'sleeper')
  await node.call(sleeper, 'where')
  const made = node.threads() // for its start, and perhaps another one for the call
  assert.equal(made[0], 'blocking-0')
  assert.ok(made.length <= 2, `${made}`)
})

test('without such threads the behavior runs on the workers', async (t) => {
  const node = await startWithSleepers(t, ['--blocking-workers', '0'])
  const [sleeper] = await node.spawnMany(1, 'sleeper')
  assert.doesNotMatch(await node.call(sleeper, 'where'), /^blocking-/)
  assert.deepEqual(node.threads(), [])
})

test('a turn that blocks for long is named in /healthz, and neither turns the node red nor ends it', async (t) => {
  const node = await startWithSleepers(t, ['--stuck-turn-max', '200ms'])
  const [sleeper] = await node.spawnMany(1, 'sleeper')
  const [gate] = await node.spawnMany(1, 'gate')
  const held = node.call(sleeper, 'hold')
  const blocking = async () => (await node.request('GET', '/healthz')).json.blocking
  await eventually(async () => (await blocking())[0]?.turn_ms > 500, 'a turn that lasts over 500 ms')
  const [{ actor, behavior }] = await blocking()
  assert.deepEqual({ actor, behavior }, { actor: sleeper, behavior: 'sleeper' })
  assert.equal((await node.request('GET', '/readyz')).status, 200)
  await node.call(gate, 'open')
  await held
  await eventually(async () => (await blocking()).length === 0, 'no turn that blocks')
})

test('a turn that blocks undeclared ends the node behind --stuck-turn-max, and the log names its actor', async (t) => {
  const node = await startWithSleepers(t, ['--stuck-turn-max', '200ms'])
  const [rogue] = await node.spawnMany(1, 'rogue')
  node.call(rogue, 'hold').catch(() => {}) // it is never answered
  const { code, stderr } = await node.untilExit()
  assert.equal(code, STUCK)
  assert.match(stderr, /a turn did not end; the node ends/)
  assert.ok(stderr.includes(rogue))
})

test('a drain waits for a turn that blocks, and answers its caller', async (t) => {
  const node = await startWithSleepers(t)
  const [sleeper] = await node.spawnMany(1, 'sleeper')
  const slept = node.call(sleeper, 'sleep', 500)
  await eventually(async () => (await node.figure('troupe_blocking_busy')) === 1, 'the turn')
  await node.stop()
  assert.match(await slept, /^blocking-/)
})

test('a turn that does not end is cut off behind the drain, and the log names its actor', async (t) => {
  const node = await startWithSleepers(t, ['--drain-timeout', '100ms'])
  const [sleeper] = await node.spawnMany(1, 'sleeper')
  node.call(sleeper, 'hold').catch(() => {}) // it is never answered
  await eventually(async () => (await node.figure('troupe_blocking_busy')) === 1, 'the turn')
  node.signalTo('SIGTERM')
  const { code, stderr } = await node.untilExit()
  assert.equal(code, STUCK)
  assert.match(stderr, /a blocking turn did not end with the node/)
  assert.ok(stderr.includes(sleeper))
})
