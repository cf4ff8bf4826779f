// SPDX-License-Identifier: Apache-2.0
//
// Event streams: what an actor publishes and what the cluster tells, by plain GET, with a cursor that a browser keeps
// by itself (Last-Event-ID). Nobody is thrown out for being slow; who misses something is told how much.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { askEvents, askEventsOn, openEvents } from './lib/events.mjs'
import { assertProblem } from './lib/problem.mjs'
import { parseMetrics } from './lib/prometheus.mjs'
import { Connection, requestBytes } from './lib/socket.mjs'
import { suite } from './lib/suite.mjs'
import { isSanitized, start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const EVENTS_KEPT = 1024

let node

before(async () => {
  node = await start(suite)
})

async function open(t, target, options) {
  const stream = await openEvents(node, target, options)
  t.after(() => stream.close())
  return stream
}

async function spawnTopic(t) {
  const { ref } = await node.spawn('topic')
  t.after(() => node.request('DELETE', `/v1/actors/${ref}?mode=kill`))
  return { ref, events: `/v1/actors/${ref}/events` }
}

/** Publish one event; gives its id. */
async function publish(ref, type, body, contentType = 'application/json') {
  const options = { headers: [['Content-Type', contentType]], body }
  const response = await node.request('POST', `/v1/actors/${ref}/call/${type}`, options)
  assert.equal(response.status, 200, response.text)
  return response.json.id
}

async function publishMany(ref, from, to) {
  const ids = []
  for (let i = from; i < to; i++) ids.push(await publish(ref, 'news', String(i)))
  return ids
}

async function take(stream, n) {
  const events = []
  while (events.length < n) events.push(await stream.next())
  return events
}

const values = (events) => events.map(({ json }) => json)
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

// ---- what a stream is ----

test('a stream says what it is, and may not be kept', async (t) => {
  const { events } = await spawnTopic(t)
  const { response, stream } = await askEvents(node, events)
  assert.equal(response.status, 200)
  assert.equal(response.type, 'text/event-stream')
  assert.match(response.headers.get('cache-control') ?? '', /no-cache|no-store/)
  assert.equal(response.headers.has('content-length'), false)
  await eventually(() => stream.retry === 1000, 'the retry time comes at once')
  stream.close()
})

test('events come with id, type and data, in order', async (t) => {
  const { ref, events } = await spawnTopic(t)
  await publishMany(ref, 0, 3)
  const stream = await open(t, events)
  const ids = await publishMany(ref, 3, 103)
  const got = await take(stream, 100)
  assert.deepEqual(values(got), range(3, 103))
  assert.deepEqual(got.map(({ id }) => id), ids)
  assert.ok(got.every(({ event }) => event === 'news'))
  assert.match(ids[0], /^[0-9a-f]{16}\.4$/)
})

test('text is split at its line ends, and what is neither text nor JSON is wrapped', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const stream = await open(t, events)
  const rows = [
    ['{"a": 1}', 'application/json', '{"a": 1}'],
    ['{\n  "a": 1\n}', 'application/json', '{\n  "a": 1\n}'],
    ['one\ntwo\n\nfour', 'text/plain', 'one\ntwo\n\nfour'],
    ['id: 7\n\nevent: forged\ndata: x\n\n', 'text/plain', 'id: 7\n\nevent: forged\ndata: x\n\n'],
    [': no comment', 'text/plain', ': no comment'],
    ['é€😀', 'text/plain; charset=utf-8', 'é€😀'],
    [' leading space', 'text/plain', ' leading space'],
  ]
  for (const [body, type, data] of rows) {
    const id = await publish(ref, 'line', body, type)
    const event = await stream.next()
    assert.deepEqual([event.id, event.event, event.data], [id, 'line', data])
  }
  for (const [body, type] of [['a\rb', 'text/plain'], [Buffer.from([0, 255, 10]), 'application/octet-stream']]) {
    await publish(ref, 'raw', body, type)
    const event = await stream.next()
    assert.equal(event.event, 'raw')
    const { content_type, body_b64 } = event.json
    assert.deepEqual([content_type, body_b64], [type, Buffer.from(body).toString('base64')])
  }
})

test('a body that is no UTF-8 does not break the stream', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const stream = await open(t, events)
  await publish(ref, 'raw', Buffer.from([0x61, 0xff, 0x62]), 'text/plain')
  await publish(ref, 'news', '1')
  const [first, second] = await take(stream, 2)
  assert.equal(first.json.body_b64, Buffer.from([0x61, 0xff, 0x62]).toString('base64'))
  assert.equal(second.json, 1)
})

// ---- the cursor ----

test('a stream begins now, at the oldest, or behind an event that was seen', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const ids = await publishMany(ref, 0, 10)
  const rows = [
    [`${events}?from=oldest`, {}, 0],
    [events, { lastEventId: ids[3] }, 4],
    [`${events}?after=${ids[5]}`, {}, 6],
    [`${events}?after=${ids[5]}`, { lastEventId: ids[7] }, 8], // a browser reconnects with the first URL
    [`${events}?from=oldest`, { lastEventId: ids[8] }, 9],
    [events, { lastEventId: ids[9] }, 10],
    [events, {}, 10],
    [`${events}?from=now`, {}, 10],
  ]
  const streams = []
  for (const [target, options] of rows) streams.push(await open(t, target, options))
  await publishMany(ref, 10, 12)
  for (const [i, stream] of streams.entries()) {
    const wanted = range(rows[i][2], 12)
    assert.deepEqual(values(await take(stream, wanted.length)), wanted, rows[i][0])
  }
})

test('a stream that is cut and resumed again and again loses and doubles nothing', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const [first] = await publishMany(ref, 0, 1)
  let lastEventId = first
  const got = []
  const writing = publishMany(ref, 1, 400)
  for (let round = 0; got.length < 399; round++) {
    const stream = await openEvents(node, events, { lastEventId })
    for (let i = 0; i < 1 + (round % 40) && got.length < 399; i++) {
      const event = await stream.next()
      lastEventId = event.id
      got.push(event.json)
    }
    stream.close({ reset: round % 2 === 0 })
  }
  await writing
  assert.deepEqual(got, range(1, 400))
})

test('who comes back too late is told how many events are gone', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const ids = await publishMany(ref, 0, EVENTS_KEPT + 30)
  const stream = await open(t, events, { lastEventId: ids[9] })
  const lagged = await stream.next()
  assert.deepEqual([lagged.event, lagged.json], ['troupe.lagged', { missed: 20 }])
  assert.deepEqual(values(await take(stream, EVENTS_KEPT)), range(30, EVENTS_KEPT + 30))
})

test('an id of another epoch, or none at all, is told as a gap and not as an end', async (t) => {
  const { ref, events } = await spawnTopic(t)
  await publishMany(ref, 0, 2)
  const other = await open(t, events, { lastEventId: '0123456789abcdef.1' })
  assert.equal((await other.next()).event, 'troupe.lagged')
  assert.deepEqual(values(await take(other, 2)), [0, 1])
  for (const after of ['x', '1', '0123456789abcdef.', '.5', '0123456789abcdef.-1']) {
    const { response } = await askEvents(node, `${events}?after=${after}`)
    assertProblem(response, { status: 400, code: 'invalid', field: 'after' })
  }
  const { response } = await askEvents(node, `${events}?from=then`)
  assertProblem(response, { status: 400, code: 'invalid', field: 'from' })
})

// ---- the end of what one listens to ----

test("an actor's end ends its stream, behind its last event", async (t) => {
  for (const mode of ['stop', 'kill']) {
    const { ref, events } = await spawnTopic(t)
    const stream = await open(t, events)
    await publishMany(ref, 0, 3)
    await node.request('DELETE', `/v1/actors/${ref}?mode=${mode}`)
    assert.deepEqual(values(await take(stream, 3)), [0, 1, 2])
    const down = await stream.next()
    assert.equal(down.event, 'troupe.down')
    assert.equal(down.json.ref, ref)
    if (mode === 'kill') assert.equal(down.json.cause, 'killed')
    await stream.untilEnded()
    const { response } = await askEvents(node, events, { lastEventId: stream.lastEventId })
    assertProblem(response, { status: 410, code: 'gone', field: 'ref' }) // so that a browser stops trying
  }
})

test('what is not there has no stream', async () => {
  const rows = [
    ['/v1/actors/@nobody/events', 404, 'not_found'],
    ['/v1/actors/nonsense/events', 404, 'bad_reference'],
  ]
  for (const [target, status, code] of rows) {
    assertProblem((await askEvents(node, target)).response, { status, code, field: 'ref' })
  }
})

test('a node that drains ends its streams', async (t) => {
  const own = await start(t)
  const { ref } = await own.spawn('topic')
  const streams = [await openEvents(own, '/v1/events'), await openEvents(own, `/v1/actors/${ref}/events`)]
  own.signalTo('SIGTERM')
  for (const stream of streams) await stream.untilEnded()
  assert.equal((await own.untilExit()).code, 0)
})

// ---- the cluster's events ----

test('the cluster tells its story from the beginning', async (t) => {
  const stream = await open(t, '/v1/events?from=oldest')
  const up = await stream.next({ event: 'node.up' })
  assert.equal(up.json.node, node.ready.node)
  assert.equal(up.json.state, 'up')
  assert.equal(up.json.api, node.api)
})

// ---- connections ----

test('a stream may begin on a connection that has served requests', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const connection = await Connection.open(node.port)
  for (let i = 0; i < 3; i++) assert.equal((await connection.request('GET', '/version')).status, 200)
  const { stream } = await askEventsOn(connection, events)
  t.after(() => stream.close())
  await publish(ref, 'news', '"hello"')
  assert.equal((await stream.next()).json, 'hello')
})

test('HEAD tells what GET would, and ends', async (t) => {
  const { events } = await spawnTopic(t)
  const connection = await Connection.open(node.port)
  const response = await connection.request('HEAD', events)
  assert.ok([200, 405].includes(response.status), `${response.status}`)
  connection.close()
})

async function gauge(name) {
  const { text } = await node.request('GET', '/metrics')
  return parseMetrics(text).get(name)?.samples.reduce((sum, { value }) => sum + value, 0)
}

test('a client that goes frees its stream, however it goes', async (t) => {
  const { ref, events } = await spawnTopic(t)
  await gauge('troupe_streams')
  const descriptors = node.descriptors()
  const idle = await gauge('troupe_streams')
  for (const reset of [false, true]) {
    const streams = await Promise.all(Array.from({ length: 50 }, () => openEvents(node, events)))
    assert.equal(await gauge('troupe_streams'), idle + 50)
    for (const stream of streams) stream.close({ reset })
    await eventually(() => node.descriptors() <= descriptors, 'the descriptors are back')
    await eventually(async () => (await gauge('troupe_streams')) === idle, 'the streams are gone')
  }
  await publish(ref, 'news', '1')
})

test('a client that does not read is not waited for, and not thrown out', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const [slow, quick] = [await open(t, events), await open(t, events)]
  slow.pause()
  const memory = node.memory()
  const body = JSON.stringify('x'.repeat(100_000))
  const total = 300 // 30 MB
  let last
  for (let i = 0; i < total; i++) {
    last = await publish(ref, 'news', body)
    assert.equal((await quick.next()).id, last)
  }
  if (!isSanitized) assert.ok(node.memory() - memory < 24 << 20, `grown by ${node.memory() - memory} bytes`)
  slow.resume()
  let [told, missed] = [0, 0]
  for (let id = null; id !== last; told++) {
    const event = await slow.next()
    if (event.event === 'troupe.lagged') [missed, told] = [missed + event.json.missed, told - 1]
    else id = event.id
  }
  assert.ok(missed > 0, 'the test did not make it lag')
  assert.equal(told + missed, total)
})

test('500 streams are told everything, and REST is served beside them', async (t) => {
  const { ref, events } = await spawnTopic(t)
  const streams = []
  for (let i = 0; i < 500; i++) streams.push(await openEvents(node, events))
  t.after(() => streams.forEach((stream) => stream.close()))
  await publishMany(ref, 0, 20)
  for (const stream of streams) assert.deepEqual(values(await take(stream, 20)), range(0, 20))
  assert.equal((await node.request('GET', '/v1/node')).status, 200)
})

test('what a client sends behind its request is not looked at, or ends the stream; it serves nothing', async (t) => {
  const { events } = await spawnTopic(t)
  const connection = await Connection.open(node.port)
  const { stream } = await askEventsOn(connection, events)
  stream.write(requestBytes('POST', '/v1/actors', { body: '{"behavior":"echo","name":"smuggled"}' }))
  await node.request('GET', '/version')
  assert.equal((await node.request('GET', '/v1/names/smuggled')).status, 404)
  stream.close()
})
