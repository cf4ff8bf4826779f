// SPDX-License-Identifier: Apache-2.0
//
// What a session is told without asking each time: the end of what it monitors, and the events of what it subscribes
// to, with a cursor that outlives the connection.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { suite } from './lib/suite.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'
import { openWebSocket } from './lib/websocket.mjs'

const EVENTS_KEPT = 1024 // TROUPE_TOPIC_EVENTS_MAX

let node

before(async () => {
  node = await start(suite)
})

async function connect(t) {
  const client = await openWebSocket(node)
  t.after(() => client.abort())
  return client
}

async function spawn(t, behavior, more) {
  const { ref } = await node.spawn(behavior, more)
  t.after(() => node.request('DELETE', `/v1/actors/${ref}?mode=kill`))
  return ref
}

/** An actor that publishes what it is sent. */
const spawnTopic = (t) => spawn(t, 'topic')

/** Publish n events with the bodies from, from + 1, ...; gives their ids. */
async function publish(client, to, n, from = 0) {
  const ids = []
  for (let i = from; i < from + n; i += 500) {
    const some = Array.from({ length: Math.min(500, from + n - i) }, (_, k) => i + k)
    some.forEach((body) => client.send({ op: 'publish', id: `p${body}`, to, type: 'news', body }))
    for (const body of some) {
      const reply = await client.next({ id: `p${body}` })
      assert.equal(reply.op, 'reply', reply.raw)
      ids.push(reply.body.id)
    }
  }
  return ids
}

async function take(client, n, id) {
  const events = []
  while (events.length < n) events.push(await client.next({ op: 'event', id }))
  return events
}

const bodies = (events) => events.map(({ body }) => body)
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

// ---- monitor ----

test('down comes once, with the cause', async (t) => {
  const client = await connect(t)
  const rows = [
    ['stop', 'normal'],
    ['drain', 'normal'],
    ['kill', 'killed'],
  ]
  for (const [mode, cause] of rows) {
    const { ref } = await client.spawn('echo')
    assert.equal((await client.ask('monitor', { id: `m-${mode}`, to: ref })).body.ref, ref)
    await client.ask('stop', { to: ref, mode })
    const down = await client.next({ op: 'down' })
    assert.equal(down.id, `m-${mode}`)
    assert.equal(down.ref, ref)
    assert.ok(mode === 'kill' ? down.cause === cause : down.cause !== 'killed', down.raw)
  }
  const { ref } = await client.spawn('faulty')
  await client.ask('monitor', { id: 'm', to: ref })
  await client.request('call', { to: ref, type: 'fail', body: { detail: 'as the test told it' } })
  const down = await client.next({ op: 'down', id: 'm' })
  assert.equal(down.cause, 'failed', down.raw)
  assert.ok(down.raw.includes('as the test told it'), down.raw)
  assert.deepEqual(await client.settled(), [])
})

test('a monitor of what has ended is told at once', async (t) => {
  const client = await connect(t)
  const { ref } = await client.spawn('echo')
  await client.ask('stop', { to: ref })
  const answer = await client.request('monitor', { id: 1, to: ref })
  assert.equal(answer.op, 'reply', answer.raw)
  assert.equal((await client.next({ op: 'down', id: 1 })).cause, 'noproc')
})

test('a monitor of what never was is refused', async (t) => {
  const client = await connect(t)
  assert.equal((await client.request('monitor', { to: '@nobody' })).code, 'not_found')
  assert.equal((await client.request('monitor', { to: 'nonsense' })).op, 'error')
})

test('down comes behind the replies of the actor', async (t) => {
  const client = await connect(t)
  for (let round = 0; round < 200; round++) {
    const { ref } = await client.spawn('faulty')
    await client.ask('monitor', { id: 'm', to: ref })
    client.send({ op: 'call', id: 'c', to: ref, type: 'stop', body: {} })
    const first = await client.next((frame) => frame.id === 'm' || frame.id === 'c')
    assert.equal(first.op, 'reply', `round ${round}: ${first.raw}`)
    assert.equal((await client.next()).op, 'down')
  }
})

test('two monitors of one actor are told once each, and demonitor ends one', async (t) => {
  const client = await connect(t)
  const { ref } = await client.spawn('echo')
  for (const id of [1, 2, 3]) await client.ask('monitor', { id, to: ref })
  assert.deepEqual((await client.ask('demonitor', { monitor: 2 })).body, {})
  assert.equal((await client.request('demonitor', { monitor: 2 })).op, 'error')
  assert.equal((await client.request('monitor', { id: 1, to: ref })).code, 'invalid')
  await client.ask('stop', { to: ref })
  const told = [await client.next({ op: 'down' }), await client.next({ op: 'down' })]
  assert.deepEqual(told.map(({ id }) => id).sort(), [1, 3])
  assert.deepEqual(await client.settled(), [])
})

test('a client that leaves takes its monitors along', async (t) => {
  const ref = await spawn(t, 'echo')
  const watchers = async () => (await node.request('GET', `/v1/actors/${ref}`)).json.monitored_by
  for (const end of ['close', 'abort', 'reset']) {
    const client = await connect(t)
    for (let id = 0; id < 10; id++) await client.ask('monitor', { id, to: ref })
    assert.equal(await watchers(), 10)
    if (end === 'close') await client.close()
    else client.abort({ reset: end === 'reset' })
    await eventually(async () => (await watchers()) === 0, `the monitors are gone after ${end}`)
  }
})

// ---- topics ----

test('a subscriber gets what is published after it came, in order', async (t) => {
  const [reader, writer] = await Promise.all([connect(t), connect(t)])
  const topic = await spawnTopic(t)
  await publish(writer, topic, 3)
  assert.equal((await reader.ask('subscribe', { id: 's', to: topic })).body.ref, topic)
  const ids = await publish(writer, topic, 700, 3)
  const events = await take(reader, 700, 's')
  assert.deepEqual(bodies(events), range(3, 703))
  assert.deepEqual(events.map(({ event }) => event), ids)
  assert.ok(events.every(({ type }) => type === 'news'))
  const [epoch] = ids[0].split('.')
  assert.match(epoch, /^[0-9a-f]{16}$/)
  assert.deepEqual(ids, range(4, 704).map((seq) => `${epoch}.${seq}`))
  assert.deepEqual(await reader.settled(), [])
})

test('publish without an id is a cast', async (t) => {
  const client = await connect(t)
  const topic = await spawnTopic(t)
  await client.ask('subscribe', { id: 's', to: topic })
  client.send({ op: 'publish', to: topic, type: 'a', body: 1 })
  client.send({ op: 'publish', to: topic, type: 'b', body_b64: 'AAE=', content_type: 'application/x-test' })
  const [one, two] = await take(client, 2, 's')
  assert.deepEqual([one.type, one.body], ['a', 1])
  assert.deepEqual([two.type, two.body_b64, two.content_type], ['b', 'AAE=', 'application/x-test'])
})

test('oldest begins with what is kept; after= goes on behind what was seen, on another connection', async (t) => {
  const writer = await connect(t)
  const topic = await spawnTopic(t)
  const ids = await publish(writer, topic, 20)
  const first = await connect(t)
  await first.ask('subscribe', { id: 1, to: topic, from: 'oldest' })
  assert.deepEqual(bodies(await take(first, 20, 1)), range(0, 20))
  first.abort()
  await publish(writer, topic, 5, 20)
  const second = await connect(t)
  await second.ask('subscribe', { id: 1, to: topic, after: ids[17] })
  assert.deepEqual(bodies(await take(second, 7, 1)), range(18, 25))
  await publish(writer, topic, 1, 25)
  assert.deepEqual(bodies(await take(second, 1, 1)), [25])
  assert.deepEqual(await second.settled(), [])
})

test('who comes too late for what it asks is told how many it missed', async (t) => {
  const writer = await connect(t)
  const topic = await spawnTopic(t)
  const extra = 76
  const ids = await publish(writer, topic, EVENTS_KEPT + extra)
  const reader = await connect(t)
  await reader.ask('subscribe', { id: 's', to: topic, after: ids[9] })
  const lagged = await reader.next()
  assert.deepEqual({ ...lagged }, { op: 'lagged', id: 's', missed: extra - 10 })
  assert.deepEqual(bodies(await take(reader, EVENTS_KEPT, 's')), range(extra, EVENTS_KEPT + extra))
  assert.deepEqual(await reader.settled(), [])
})

test('after= of another epoch begins at the oldest, and says that something was missed', async (t) => {
  const client = await connect(t)
  const topic = await spawnTopic(t)
  const ids = await publish(client, topic, 3)
  const epoch = ids[0].split('.')[0]
  const other = `${epoch[0] === '0' ? '1' : '0'}${epoch.slice(1)}`
  await client.ask('subscribe', { id: 's', to: topic, after: `${other}.2` })
  assert.equal((await client.next({ id: 's' })).op, 'lagged')
  assert.deepEqual(bodies(await take(client, 3, 's')), [0, 1, 2])
  for (const after of ['', 'x', `${epoch}`, `${epoch}.`, `${epoch}.x`, `${epoch}.-1`, `.1`, 7]) {
    assert.equal((await client.request('subscribe', { to: topic, after })).op, 'error', `after ${after}`)
  }
  assert.equal((await client.request('subscribe', { to: topic, from: 'then' })).op, 'error')
})

test('a subscriber that lags by more than 10 events stays subscribed', async (t) => {
  const [slow, quick, writer] = await Promise.all([connect(t), connect(t), connect(t)])
  const topic = await spawnTopic(t)
  const body = 'x'.repeat(64 << 10)
  for (const client of [slow, quick]) await client.ask('subscribe', { id: 's', to: topic })
  slow.pause()
  const total = 600 // 37 MiB: more than socket buffers and the session's queue hold, or the topic keeps
  let seen = 0
  for (let i = 0; i < total; i++) {
    await writer.ask('publish', { to: topic, type: 'news', body })
    const frame = await quick.next({ id: 's' })
    assert.equal(frame.op, 'event')
    seen = frame
  }
  slow.resume()
  let events = 0
  let missed = 0
  for (let last = null; last !== seen.event; ) {
    const frame = await slow.next({ id: 's' })
    if (frame.op === 'lagged') missed += frame.missed
    else [events, last] = [events + 1, frame.event]
  }
  assert.equal(events + missed, total)
  assert.ok(missed > 10, 'the test did not make it lag')
  await writer.ask('publish', { to: topic, type: 'news', body: 'still there' })
  assert.equal((await slow.next({ id: 's' })).body, 'still there')
})

test('unsubscribe ends one subscription and no other', async (t) => {
  const client = await connect(t)
  const topic = await spawnTopic(t)
  for (const id of ['a', 'b']) await client.ask('subscribe', { id, to: topic })
  assert.equal((await client.request('subscribe', { id: 'a', to: topic })).code, 'invalid')
  await client.ask('unsubscribe', { subscription: 'a' })
  assert.equal((await client.request('unsubscribe', { subscription: 'a' })).op, 'error')
  await publish(client, topic, 2)
  assert.deepEqual(bodies(await take(client, 2, 'b')), [0, 1])
  assert.deepEqual(await client.settled(), [])
})

test("a topic's end comes behind its last event", async (t) => {
  const [client, writer] = await Promise.all([connect(t), connect(t)])
  for (let round = 0; round < 20; round++) {
    const topic = await spawnTopic(t)
    await client.ask('subscribe', { id: 's', to: topic })
    await publish(writer, topic, 5)
    await writer.ask('stop', { to: topic })
    assert.deepEqual(bodies(await take(client, 5, 's')), range(0, 5))
    assert.equal((await client.next({ id: 's' })).op, 'end')
    assert.deepEqual(await client.settled(), [])
  }
})

test('who subscribes to what is not there is refused', async (t) => {
  const client = await connect(t)
  const { ref } = await client.spawn('topic')
  await client.ask('stop', { to: ref })
  assert.equal((await client.request('subscribe', { to: ref })).code, 'gone')
  assert.equal((await client.request('subscribe', { to: '@nobody' })).code, 'not_found')
})

test('the cluster is a topic too', async (t) => {
  const client = await connect(t)
  await client.ask('subscribe', { id: 's', topic: 'cluster', from: 'oldest' })
  const up = await client.next((frame) => frame.op === 'event' && frame.type === 'node.up')
  assert.equal(up.body.node, node.ready.node)
  assert.equal(up.body.state, 'up')
})

test('a flood of events does not starve the calls of the session', async (t) => {
  const [reader, writer] = await Promise.all([connect(t), connect(t)])
  const topic = await spawnTopic(t)
  const counter = await spawn(t, 'counter')
  await reader.ask('subscribe', { id: 's', to: topic })
  const flood = publish(writer, topic, 5000)
  for (let i = 1; i <= 50; i++) assert.deepEqual(await reader.call(counter, 'add', { by: 1 }), { value: i })
  await flood
  let told = 0
  while (told < 5000) {
    const frame = await reader.next({ id: 's' })
    told += frame.op === 'lagged' ? frame.missed : 1
  }
  assert.equal(told, 5000)
})
