// SPDX-License-Identifier: Apache-2.0
//
// Looking inside a running node: the state of an actor, suspension, traces, timers of clients, alarms, dead letters, and
// the figures of behaviors.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { Contract } from './lib/contract.mjs'
import { askEvents, openEvents } from './lib/events.mjs'
import { assertProblem } from './lib/problem.mjs'
import { parseMetrics } from './lib/prometheus.mjs'
import { suite } from './lib/suite.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

let node
let contract

before(async () => {
  node = await start(suite)
  contract = await Contract.of(node)
  const { request } = node
  node.request = async (method, target, options) => {
    const response = await request.call(node, method, target, options)
    contract.see(method, target, response)
    return response
  }
})

/** An actor for a test: its path. */
async function spawn(t, behavior, more) {
  const { ref } = await node.spawn(behavior, more)
  t.after(() => node.request('DELETE', `/v1/actors/${ref}?mode=kill`))
  return { ref, path: `/v1/actors/${ref}` }
}

async function expect(status, method, target, json) {
  const response = await node.request(method, target, { json })
  assert.equal(response.status, status, `${method} ${target}: ${response.text}`)
  return response.text ? response.json : null
}

async function open(t, target) {
  const { response, stream } = await askEvents(node, target)
  assert.equal(response.status, 200, response.text)
  contract.see('GET', target, response)
  t.after(() => stream.close())
  return stream
}

const valueOf = async (path) => (await expect(200, 'GET', `${path}/state`)).value

// ---- state ----

test('the state of an actor is shown as its behavior writes it', async (t) => {
  const counter = await spawn(t, 'counter', { args: { value: 41 } })
  await expect(200, 'POST', `${counter.path}/call/add`, { by: 1 })
  assert.deepEqual(await expect(200, 'GET', `${counter.path}/state`), { value: 42 })
  assert.equal((await expect(200, 'GET', counter.path)).processed, 1) // looking is no message
  const kv = await spawn(t, 'kv')
  await expect(200, 'POST', `${kv.path}/call/put`, { key: 'a', value: [1] })
  const state = await expect(200, 'GET', `${kv.path}/state`)
  assert.equal(state.keys, 1)
  assert.equal(state.revision, 1)
  const ticker = await spawn(t, 'ticker', { args: { to: counter.ref, period_ms: 60000, type: 'add' } })
  assert.equal((await expect(200, 'GET', `${ticker.path}/state`)).to, counter.ref)
  const relay = await spawn(t, 'relay', { args: { to: '@nobody' } })
  assert.equal((await expect(200, 'GET', `${relay.path}/state`)).to, '@nobody')
  const faulty = await spawn(t, 'faulty')
  assert.equal((await expect(200, 'GET', `${faulty.path}/state`)).noops, 0)
})

test('a behavior without a view, and one who is gone, say so', async (t) => {
  const echo = await spawn(t, 'echo')
  assertProblem(await node.request('GET', `${echo.path}/state`), { status: 409, code: 'no_view', detail: /echo/ })
  await expect(204, 'DELETE', echo.path)
  for (const [method, rest] of [['GET', 'state'], ['POST', 'suspend'], ['POST', 'resume'], ['GET', 'timers']]) {
    const response = await node.request(method, `${echo.path}/${rest}`)
    assertProblem(response, { status: 410, code: 'gone', field: 'ref' })
  }
})

test('a behavior tells whether it has a view', async () => {
  assert.equal((await expect(200, 'GET', '/v1/behaviors/counter')).has_view, true)
  assert.equal((await expect(200, 'GET', '/v1/behaviors/echo')).has_view, false)
})

// ---- suspension ----

test('a suspended actor handles nothing until it is resumed, and can be looked at', async (t) => {
  const { path } = await spawn(t, 'counter')
  await expect(204, 'POST', `${path}/suspend`)
  await expect(202, 'POST', `${path}/cast/add`, { by: 5 })
  const waiting = node.request('POST', `${path}/call/add`, { json: { by: 2 } })
  const actor = await eventually(async () => {
    const found = await expect(200, 'GET', path)
    return found.mailbox.depth === 2 && found
  }, 'both messages in the mailbox')
  assert.equal(actor.suspended, true)
  assert.ok(actor.mailbox_bytes > 0)
  assert.ok(actor.memory_bytes > actor.mailbox_bytes)
  assert.equal(await valueOf(path), 0)
  const { items } = await expect(200, 'GET', `/v1/actors?behavior=counter&limit=1000`)
  assert.equal(items.find(({ ref }) => path.endsWith(ref)).suspended, true)
  await expect(204, 'POST', `${path}/resume`)
  assert.deepEqual((await waiting).json, { value: 7 })
  assert.equal((await expect(200, 'GET', path)).suspended, false)
  await expect(204, 'POST', `${path}/resume`) // also when it is not suspended
})

test('a suspended actor can be ended', async (t) => {
  for (const mode of ['stop', 'drain', 'kill']) {
    const { path } = await spawn(t, 'counter')
    await expect(204, 'POST', `${path}/suspend`)
    await expect(202, 'POST', `${path}/cast/add`)
    await expect(204, 'DELETE', `${path}?mode=${mode}`)
  }
})

// ---- the last error, the parent ----

test('an actor tells its last error', async (t) => {
  const { path } = await spawn(t, 'counter', { args: { value: Number.MAX_SAFE_INTEGER } })
  assert.equal((await expect(200, 'GET', path)).last_error, null)
  const huge = '{"by":9223372036854775807}'
  const headers = [['Content-Type', 'application/json']]
  const response = await node.request('POST', `${path}/call/add`, { body: huge, headers })
  assert.equal(response.status, 409, response.text)
  const { last_error: last } = await expect(200, 'GET', path)
  assert.equal(last.code, 'app')
  assert.match(last.detail, /64 bits/)
  assert.ok(Math.abs(Date.parse(last.at) - Date.now()) < 60_000)
})

test('lists tell the parent, so that a page of actors is a tree', async (t) => {
  const parent = await spawn(t, 'faulty', { name: 'tree-parent' })
  await expect(200, 'POST', `${parent.path}/call/child`, { behavior: 'counter', name: 'tree-child' })
  const { items } = await expect(200, 'GET', '/v1/actors?name=tree-child')
  assert.equal(items[0].parent, parent.ref)
  assert.equal((await expect(200, 'GET', '/v1/actors?name=tree-parent')).items[0].parent, null)
})

// ---- traces ----

test('a trace shows each message and then its end', async (t) => {
  const { ref, path } = await spawn(t, 'counter')
  const begun = await expect(200, 'POST', `${path}/trace`, { messages: 2, bodies: true })
  assert.deepEqual(begun, { ref, messages: 2, bodies: true })
  const stream = await open(t, `${path}/trace`)
  assert.equal((await expect(200, 'GET', path)).traced, true)
  await expect(200, 'POST', `${path}/call/add`, { by: 3 })
  const first = await stream.next({ event: 'message' })
  assert.deepEqual({ ...first.json, duration_ns: 0 }, {
    kind: 'call', type: 'add', from: null, subject: null, bytes: 8, content_type: null, body: { by: 3 },
    duration_ns: 0, result: 'ok', error: null, left: 1,
  })
  assert.ok(first.json.duration_ns > 0)
  await expect(202, 'POST', `${path}/cast/reset`)
  assert.equal((await stream.next({ event: 'message' })).json.left, 0)
  assert.deepEqual((await stream.next({ event: 'end' })).json, { reason: 'done' })
  await stream.untilEnded()
  assert.equal((await expect(200, 'GET', path)).traced, false)
  const later = await open(t, `${path}/trace`) // what is over can be read again
  assert.equal((await later.next({ event: 'message' })).json.type, 'add')
  await later.untilEnded()
})

test('a trace can be stopped, and ends with its actor', async (t) => {
  const { path } = await spawn(t, 'counter')
  await expect(200, 'POST', `${path}/trace`)
  const stopped = await open(t, `${path}/trace`)
  await expect(204, 'DELETE', `${path}/trace`)
  assert.deepEqual((await stopped.next({ event: 'end' })).json, { reason: 'stopped' })
  await expect(200, 'POST', `${path}/trace`, { messages: 7 })
  const ended = await open(t, `${path}/trace`)
  await expect(204, 'DELETE', path)
  assert.deepEqual((await ended.next({ event: 'end' })).json, { reason: 'ended' })
  await ended.untilEnded()
})

test('wrong traces are refused with words', async (t) => {
  const { path } = await spawn(t, 'counter')
  const { response } = await askEvents(node, `${path}/trace`)
  assertProblem(response, { status: 404, code: 'not_found', field: 'ref', detail: /POST/ })
  for (const json of [{ messages: 0 }, { messages: 100001 }, { bodies: 1 }]) {
    const [field] = Object.keys(json)
    assertProblem(await node.request('POST', `${path}/trace`, { json }), { status: 422, code: 'schema', field })
  }
})

// ---- timers ----

test('a timer of a client is set, shown, replaced and cancelled by its id', async (t) => {
  const { ref, path } = await spawn(t, 'counter')
  const set = await expect(200, 'PUT', `${path}/timers/beat`, { type: 'add', body: { by: 1 }, after_ms: 3_600_000 })
  assert.equal(set.id, 'beat')
  assert.equal(set.target, ref)
  assert.equal(set.every_ms, null)
  assert.ok(Math.abs(Date.parse(set.due_at) - Date.now() - 3_600_000) < 60_000)
  await expect(200, 'PUT', `${path}/timers/beat`, { type: 'add', body: { by: 10 }, every_ms: 20 })
  const list = await expect(200, 'GET', `${path}/timers`)
  assert.equal(list.total, 1)
  assert.equal(list.items[0].every_ms, 20)
  assert.equal(list.items[0].set_by, 'client')
  assert.deepEqual((await expect(200, 'GET', `${path}/timers/beat`)).type, 'add')
  await eventually(async () => (await valueOf(path)) >= 30, 'three beats')
  await expect(204, 'DELETE', `${path}/timers/beat`)
  const value = await valueOf(path)
  assertProblem(await node.request('DELETE', `${path}/timers/beat`), { status: 404, code: 'not_found', field: 'timer' })
  assertProblem(await node.request('GET', `${path}/timers/beat`), { status: 404, code: 'not_found', field: 'timer' })
  await expect(202, 'POST', `${path}/cast/add?delay=50ms`, { by: 1 }) // longer than two beats
  await eventually(async () => (await valueOf(path)) === value + 1, 'the delayed cast, and no beat')
})

test('a cancel wins against a message that waits already', async (t) => {
  const { path } = await spawn(t, 'counter')
  await expect(204, 'POST', `${path}/suspend`)
  await expect(200, 'PUT', `${path}/timers/once`, { type: 'add', after_ms: 0 })
  await eventually(async () => (await expect(200, 'GET', path)).mailbox.depth === 1, 'its message in the mailbox')
  await expect(204, 'DELETE', `${path}/timers/once`)
  await expect(204, 'POST', `${path}/resume`)
  await expect(200, 'POST', `${path}/call/add`, { by: 5 })
  assert.equal(await valueOf(path), 5)
})

test('a timer may name a moment, also one that has passed', async (t) => {
  const { path } = await spawn(t, 'counter')
  await expect(200, 'PUT', `${path}/timers/past`, { type: 'add', at: '2020-01-01T00:00:00Z' })
  await eventually(async () => (await valueOf(path)) === 1, 'the message')
  const at = new Date(Date.now() + 7_200_000).toISOString()
  const timer = await expect(200, 'PUT', `${path}/timers/future`, { type: 'add', at })
  assert.ok(Math.abs(Date.parse(timer.due_at) - Date.parse(at)) < 5000)
})

test('the own timers of an actor are listed, and have no id for clients', async (t) => {
  const counter = await spawn(t, 'counter')
  const ticker = await spawn(t, 'ticker', { args: { to: counter.ref, period_ms: 60000, type: 'add' } })
  const { items } = await expect(200, 'GET', `${ticker.path}/timers`)
  assert.equal(items.length, 1)
  assert.deepEqual([items[0].id, items[0].set_by, items[0].every_ms], [null, 'actor', 60000])
})

test('timers and delayed casts hold their bodies no further than the memory budget', async (t) => {
  const small = await start(t, ['--memory-max', '4M'])
  const { ref } = await small.spawn('kv')
  const body = { key: 'k', value: 'x'.repeat(100_000) }
  const later = () => small.request('POST', `/v1/actors/${ref}/cast/put?delay=10m`, { json: body })
  let response = await later()
  for (let i = 0; i < 200 && response.status === 202; i++) response = await later()
  assertProblem(response, { status: 503, code: 'overloaded', retry: 'yes', outcome: 'not_done' })
  const timer = { type: 'put', after_ms: 600_000, body }
  const set = await small.request('PUT', `/v1/actors/${ref}/timers/one`, { json: timer })
  assertProblem(set, { status: 503, code: 'overloaded', retry: 'yes', outcome: 'not_done' })
  assert.equal((await small.request('DELETE', `/v1/actors/${ref}`)).status, 204)
  await eventually(async () => (await small.request('GET', '/readyz')).status === 200, 'room again')
})

test('wrong timers are refused with words', async (t) => {
  const { path } = await spawn(t, 'counter')
  const cases = [
    [{ type: 'add' }, 422, 'schema', 'after_ms'],
    [{ after_ms: 1 }, 422, 'schema', 'type'],
    [{ type: 'add', after_ms: 1, at: '2030-01-01T00:00:00Z' }, 422, 'schema', 'at'],
    [{ type: 'add', at: 'tomorrow' }, 422, 'schema', 'at'],
    [{ type: 'add', at: '2099-01-01T00:00:00Z' }, 422, 'schema', 'at'],
    [{ type: 'add', every_ms: 0 }, 422, 'schema', 'every_ms'],
    [{ type: 'add', every_ms: 5, missed: 'later' }, 422, 'schema', 'missed'],
    [{ type: 'add', body: { by: 'x' }, after_ms: 1 }, 422, 'schema', '/body/by'],
    [{ type: 'unheard', after_ms: 1 }, 422, 'unknown_type', 'type'],
  ]
  for (const [json, status, code, field] of cases) {
    assertProblem(await node.request('PUT', `${path}/timers/bad`, { json }), { status, code, field })
  }
  const bad = await node.request('PUT', `${path}/timers/no%20good`, { json: { type: 'add', after_ms: 1 } })
  assertProblem(bad, { status: 400, code: 'invalid', field: 'timer' })
  const late = await node.request('POST', `${path}/cast/add?delay=2000h`)
  assertProblem(late, { status: 400, code: 'invalid', field: 'delay' })
  const batch = await node.request('POST', `${path}/cast/add?delay=1s`, {
    headers: [['Content-Type', 'application/x-ndjson']], body: '{}\n{}\n',
  })
  assertProblem(batch, { status: 400, code: 'invalid', field: 'delay' })
  assert.equal((await expect(200, 'GET', `${path}/timers`)).total, 0)
})

// ---- alarms and dead letters ----

test('a long mailbox is an alarm until it is short again', async (t) => {
  const { ref, path } = await spawn(t, 'counter', { mailbox: { messages: 10 } })
  const events = await open(t, '/v1/events')
  await expect(204, 'POST', `${path}/suspend`)
  for (let i = 0; i < 10; i++) await expect(202, 'POST', `${path}/cast/add`)
  const set = await events.next({ event: 'alarm_set' })
  assert.equal(set.json.kind, 'long_mailbox')
  assert.equal(set.json.actor, ref)
  assert.equal(set.json.threshold, 8)
  const { alarms } = await expect(200, 'GET', '/v1/node')
  assert.equal(alarms.length, 1)
  assert.deepEqual([alarms[0].kind, alarms[0].actor, alarms[0].behavior], ['long_mailbox', ref, 'counter'])
  const metrics = parseMetrics((await node.request('GET', '/metrics')).text)
  assert.equal(metrics.get('troupe_alarms').samples[0].value, 1)
  await expect(204, 'POST', `${path}/resume`)
  assert.equal((await events.next({ event: 'alarm_cleared' })).json.actor, ref)
  assert.deepEqual((await expect(200, 'GET', '/v1/node')).alarms, [])
})

test('a long turn is an alarm, at the length that was asked for', async (t) => {
  const own = await start(t, ['--alarm-turn', '2ms', '--alarm-mailbox', '0'])
  const events = await openEvents(own, '/v1/events')
  t.after(() => events.close())
  const { ref } = await own.spawn('faulty')
  const response = await own.request('POST', `/v1/actors/${ref}/call/spin`, { json: { us: 200000 } })
  assert.equal(response.status, 200, response.text)
  const { json } = await events.next({ event: 'alarm_set' })
  assert.deepEqual([json.kind, json.actor, json.threshold], ['long_turn', ref, 2])
  assert.ok(json.value >= 2)
  assert.equal((await own.request('DELETE', `/v1/actors/${ref}`)).status, 204)
  assert.equal((await events.next({ event: 'alarm_cleared' })).json.actor, ref)
})

test('what nobody took is an event', async (t) => {
  const { ref, path } = await spawn(t, 'counter')
  const dead = await open(t, '/v1/events/dead')
  assert.equal((await node.request('POST', `${path}/cast/unheard`)).status, 422)
  const { json } = await dead.next({ event: 'dead_letter' })
  assert.deepEqual([json.to, json.from, json.type, json.error], [ref, null, 'unheard', 'unknown_type'])
  await expect(204, 'DELETE', path)
  assert.equal((await node.request('POST', `${path}/cast/add`)).status, 410)
  assert.equal((await dead.next({ event: 'dead_letter' })).json.error, 'gone')
})

test('a flood of dead letters is not one of events', async (t) => {
  const own = await start(t)
  const { ref } = await own.spawn('faulty', { mailbox: { messages: 1 } })
  assert.equal((await own.request('DELETE', `/v1/actors/${ref}`)).status, 204)
  const dead = await openEvents(own, '/v1/events/dead')
  t.after(() => dead.close())
  const isTold = async () => {
    for (let i = 0; i < 500; i++) await own.request('POST', `/v1/actors/${ref}/cast/noop`)
    const metrics = parseMetrics((await own.request('GET', '/metrics')).text)
    return metrics.get('troupe_dead_letters_total').samples[0].value >= 3000
  }
  await eventually(isTold, 'three thousand dead letters')
  let seen = 0
  for (let suppressed = 0; seen + suppressed < 1000; seen++) {
    suppressed += (await dead.next({ event: 'dead_letter' })).json.suppressed
  }
  assert.ok(seen <= 1000)
})

// ---- figures ----

test('the figures of a behavior are its own', async (t) => {
  const before_ = (await expect(200, 'GET', '/v1/behaviors/kv')).stats
  const { path } = await spawn(t, 'kv')
  for (let i = 0; i < 5; i++) await expect(200, 'POST', `${path}/call/put`, { key: 'a', value: i })
  const { stats } = await expect(200, 'GET', '/v1/behaviors/kv')
  assert.equal(stats.spawned - before_.spawned, 1)
  assert.equal(stats.messages - before_.messages, 5)
  assert.ok(stats.turns - before_.turns >= 5)
  assert.ok(stats.busy_ns > before_.busy_ns)
  const metrics = parseMetrics((await node.request('GET', '/metrics')).text)
  const sample = metrics.get('troupe_behavior_messages_total').samples.find(({ labels }) => labels.includes('"kv"'))
  assert.ok(sample.value >= 5)
})

// ---- code and document agree ----

test('every operation that looks inside was exercised, and every answer is documented', () => {
  const inside = /\/(state|suspend|resume|trace|timers|timers\/\{timer\}|events\/dead)$/
  assert.equal(contract.operations.filter((one) => inside.test(one)).length, 11)
  assert.deepEqual(contract.unexercised.filter((one) => inside.test(one)), [])
  assert.deepEqual(contract.faults, [])
})
