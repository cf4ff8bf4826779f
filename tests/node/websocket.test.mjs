// SPDX-License-Identifier: Apache-2.0
//
// Sessions over WebSocket, troupe.v1.json, end to end: frames, ids and bodies, and each operation that asks for
// something. What is told without being asked is in websocket_topics.test.mjs; how sessions begin and end is in
// websocket_life.test.mjs.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { suite } from './lib/suite.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'
import { openWebSocket } from './lib/websocket.mjs'

let node

before(async () => {
  node = await start(suite)
})

/** A client that goes with the test. */
async function connect(t, options) {
  const client = await openWebSocket(node, options)
  t.after(() => client.abort())
  return client
}

/** The frame is an error with this code and all members of a problem. */
function assertError(frame, { code, status, field, retry, outcome }) {
  assert.equal(frame.op, 'error', frame.raw)
  assert.equal(frame.code, code, frame.raw)
  if (status) assert.equal(frame.status, status, frame.raw)
  assert.ok(frame.status >= 400 && frame.status < 600, frame.raw)
  assert.ok(frame.title.length > 0 && frame.detail.length > 0, frame.raw)
  assert.ok(['yes', 'if_idempotent', 'no'].includes(frame.retry), frame.raw)
  assert.ok(['not_done', 'unknown'].includes(frame.outcome), frame.raw)
  if (field) assert.equal(frame.field, field, frame.raw)
  if (retry) assert.equal(frame.retry, retry)
  if (outcome) assert.equal(frame.outcome, outcome)
  return frame
}

const stopAfter = (t, ref) => t.after(() => node.request('DELETE', `/v1/actors/${ref}?mode=kill`))

async function spawn(t, behavior, more) {
  const { ref } = await node.spawn(behavior, more)
  stopAfter(t, ref)
  return ref
}

// ---- hello ----

test('a client that says nothing of itself is served', async (t) => {
  const client = await connect(t)
  const ref = await spawn(t, 'counter')
  client.sendText(`{"op":"call","id":1,"to":"${ref}","type":"add","body":{"by":2}}`)
  const reply = await client.next()
  assert.deepEqual({ ...reply }, { op: 'reply', id: 1, body: { value: 2 } })
  assert.deepEqual(await client.close(), { code: 1000, reason: '' })
})

test('hello is answered by welcome, with what a later version needs', async (t) => {
  const client = await connect(t)
  const welcome = await client.ask('hello', { client: 'a test', resume: false })
  assert.equal(welcome.op, 'welcome')
  assert.match(welcome.session, /^s\.[0-9a-hj-km-np-tv-z]{26}$/)
  assert.equal(welcome.node, node.ready.node)
  assert.equal(welcome.cluster, node.ready.cluster)
  assert.equal(welcome.protocol, 'troupe.v1.json')
  assert.equal(welcome.version, (await node.request('GET', '/version')).json.version)
  const { seq, ack, resume, credit } = welcome
  assert.deepEqual({ seq, ack, resume, credit }, { seq: 0, ack: 0, resume: false, credit: 1024 })
  assert.ok(welcome.frame_bytes_max >= 1 << 20)
  assert.ok(welcome.ping_ms > 0)
})

test('hello may come late, and only once', async (t) => {
  const client = await connect(t)
  const other = await connect(t)
  assert.equal((await client.ask('ping')).op, 'pong')
  const { session } = await client.ask('hello', { resume: true, session: 's.x', seq: 7, ack: 7, credit: 10 })
  assertError(await client.request('hello'), { code: 'protocol' })
  assert.equal((await client.ask('ping')).op, 'pong')
  assert.notEqual((await other.ask('hello')).session, session)
})

test('the subprotocol is answered when it is offered, and may be left out', async (t) => {
  const rows = [
    [['troupe.v1.json'], 'troupe.v1.json'],
    [['something.else', 'troupe.v1.json'], 'troupe.v1.json'],
    [[], undefined],
  ]
  for (const [protocols, answered] of rows) {
    const client = await connect(t, { protocols })
    assert.equal(client.protocol, answered)
    assert.equal((await client.ask('ping')).op, 'pong')
  }
})

// ---- ids ----

test('an id comes back exactly as it was written', async (t) => {
  const client = await connect(t)
  const ids = ['0', '1', '9007199254740991', '"a"', '"\\u00e9 \\"x\\" \\\\"', '"é€😀"', `"${'x'.repeat(64)}"`]
  for (const id of ids) {
    client.sendText(`{"op":"ping","id":${id}}`)
    const pong = await client.next({ op: 'pong' })
    assert.deepEqual(pong.id, JSON.parse(id))
    assert.ok(pong.raw.includes(id), `${id} came back as ${pong.raw}`)
  }
  client.sendText('{"op":"ping"}')
  assert.deepEqual({ ...(await client.next()) }, { op: 'pong' })
})

test('what is no id is refused, without one', async (t) => {
  const client = await connect(t)
  const ids = ['-1', '1.5', '1e3', '9007199254740992', '1e400', '""', `"${'x'.repeat(65)}"`, 'true', '[]', '{}']
  for (const id of ids) {
    client.sendText(`{"op":"ping","id":${id}}`)
    const error = assertError(await client.next(), { code: 'schema', field: 'id' })
    assert.equal('id' in error, false, error.raw)
    assert.equal((await client.ask('ping')).op, 'pong')
  }
})

test('an id that is open already is refused, and the first one is answered', async (t) => {
  const client = await connect(t)
  const late = await spawn(t, 'faulty')
  client.send({ op: 'call', id: 5, to: late, type: 'late', body: { ms: 100 } })
  client.send({ op: 'call', id: 5, to: late, type: 'late', body: { ms: 1 } })
  assertError(await client.next({ id: 5 }), { code: 'invalid', field: 'id' })
  assert.equal((await client.next({ id: 5 })).op, 'reply')
  assert.equal((await client.ask('call', { id: 5, to: late, type: 'late', body: { ms: 1 } })).op, 'reply')
})

// ---- frames that say nothing sensible ----

test('a frame that is not an operation is an error, and the session lives on', async (t) => {
  const client = await connect(t)
  await spawn(t, 'echo', { name: 'x' })
  const rows = [
    ['', 'malformed'],
    ['{', 'malformed'],
    ['{"op":"ping"}{"op":"ping"}', 'malformed'],
    ['{"op":"ping",}', 'malformed'],
    ["{'op':'ping'}", 'malformed'],
    ['[]', 'schema'],
    ['"ping"', 'schema'],
    ['null', 'schema'],
    ['{}', 'schema'],
    ['{"op":1}', 'schema'],
    ['{"op":"fly"}', 'protocol'],
    ['{"op":"reply","id":1}', 'protocol'],
    ['{"op":"call","id":1,"type":"get"}', 'schema'],
    ['{"op":"call","id":1,"to":"@x"}', 'schema'],
    ['{"op":"call","to":"@x","type":"get"}', 'schema'],
    ['{"op":"call","id":1,"to":7,"type":"get"}', 'schema'],
    ['{"op":"call","id":1,"to":"@x","type":"get","bdy":{}}', 'schema'],
    ['{"op":"call","id":1,"to":"@x","type":"get","timeout_ms":"5"}', 'schema'],
    ['{"op":"call","id":1,"to":"@x","type":"get","timeout_ms":-5}', 'schema'],
    ['{"op":"call","id":1,"to":"@x","type":"get","body_b64":"no base 64"}', 'schema'],
    ['{"op":"call","id":1,"to":"@x","type":"get","body":{},"body_b64":"AA=="}', 'schema'],
    ['{"op":"spawn","id":1}', 'schema'],
    ['{"op":"spawn","behavior":"echo"}', 'schema'],
    ['{"op":"spawn","id":1,"behavior":"echo","if_exists":"maybe"}', 'schema'],
    ['{"op":"stop","id":1}', 'schema'],
    ['{"op":"monitor","to":"@x"}', 'schema'],
    ['{"op":"subscribe","id":1}', 'schema'],
    ['{"op":"subscribe","id":1,"to":"@x","topic":"cluster"}', 'schema'],
    ['{"op":"subscribe","id":1,"topic":"weather"}', 'schema'],
    ['{"op":"ping","extra":1}', 'schema'],
    [`{"op":"ping","x":${'['.repeat(200)}${']'.repeat(200)}}`, 'malformed'],
  ]
  for (const [text, code] of rows) {
    client.sendText(text)
    const frame = await client.next()
    assertError(frame, { code })
    assert.equal((await client.ask('ping')).op, 'pong') // and the count of unreadable ones begins again
  }
})

// ---- bodies ----

test('a body of JSON is passed on byte for byte', async (t) => {
  const client = await connect(t)
  const echo = await spawn(t, 'echo')
  const bodies = [
    '{"a": 1,\t"a":2 }', '12345678901234567890.000', '1e400', '"\\u00e9\\ud83d\\ude00 é"', '[ ]', 'null', 'false',
    JSON.stringify('x'.repeat(100_000)), `[${'0,'.repeat(10_000)}0]`,
  ]
  for (const body of bodies) {
    client.sendText(`{"op":"call","id":1,"to":"${echo}","type":"echo","body":${body}}`)
    const reply = await client.next()
    assert.equal(reply.op, 'reply', reply.raw)
    assert.ok(reply.raw.includes(`"body":${body}`), `${body.slice(0, 99)} came back as ${reply.raw.slice(0, 200)}`)
  }
})

test('bytes travel as base 64 with their content type, both ways', async (t) => {
  const client = await connect(t)
  const echo = await spawn(t, 'echo')
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  for (const size of [0, 1, 2, 3, 256]) {
    const body_b64 = every.subarray(0, size).toString('base64')
    const reply = await client.ask('call', { to: echo, type: 'echo', body_b64, content_type: 'application/x-test' })
    assert.equal(reply.body_b64 ?? '', body_b64)
    if (size > 0) assert.equal(reply.content_type, 'application/x-test')
    assert.equal('body' in reply, false)
  }
  const faulty = await spawn(t, 'faulty')
  const big = await client.ask('call', { to: faulty, type: 'big', body: { bytes: 1000 } })
  assert.equal(big.content_type, 'text/plain')
  assert.equal(Buffer.from(big.body_b64, 'base64').length, 1000)
})

test('REST and WebSocket see the same bytes', async (t) => {
  const client = await connect(t)
  const kv = await spawn(t, 'kv')
  const value = { text: 'é€😀\u0000', list: [1, 2.5, null] }
  await client.ask('call', { to: kv, type: 'put', body: { key: 'k', value } })
  const { json } = await node.request('POST', `/v1/actors/${kv}/call/get`, { json: { key: 'k' } })
  assert.deepEqual(json.value, value)
  assert.deepEqual((await client.call(kv, 'get', { key: 'k' })).value, value)
})

// ---- call and cast ----

test('each refusal says the same as that of REST', async (t) => {
  const client = await connect(t)
  const faulty = await spawn(t, 'faulty')
  const counter = await spawn(t, 'counter')
  const ended = await spawn(t, 'echo')
  await node.request('DELETE', `/v1/actors/${ended}`)
  const rows = [
    [ended, 'echo', {}],
    ['@nobody', 'echo', {}],
    ['n.zzz', 'echo', {}],
    [`${node.ready.node}.zzzz.1`, 'echo', {}],
    ['n.0000000000001.1.1', 'echo', {}],
    [counter, 'fly', {}],
    [counter, 'add', { by: 'x' }],
    [counter, 'add', []],
    [null, 'fail', { detail: 'as told' }], // ends the actor, so each way gets its own
    [faulty, 'no_reply', {}],
    [faulty, 'app_error', { code: 'kettle', status: 418, detail: 'short and stout' }],
    [faulty, 'never', {}, 30],
  ]
  for (const [given, type, body, timeout_ms] of rows) {
    const to = async () => given ?? (await spawn(t, 'faulty'))
    const query = timeout_ms ? `?timeout=${timeout_ms}ms` : ''
    const target = `/v1/actors/${await to()}/call/${type}${query}`
    const { json: problem } = await node.request('POST', target, { json: body })
    const frame = await client.request('call', { to: await to(), type, body, timeout_ms })
    assertError(frame, { code: problem.code, status: problem.status, retry: problem.retry, outcome: problem.outcome })
    assert.equal(frame.title, problem.title)
  }
})

test('a call whose actor is on another node is unreachable, not lost', async (t) => {
  const client = await connect(t)
  const frame = await client.request('call', { to: 'n.0000000000001.1.1', type: 'echo', body: {} })
  assert.ok(['gone', 'unreachable', 'not_found'].includes(frame.code), frame.raw)
})

test('a call ends at its deadline, and its late reply is dropped', async (t) => {
  const client = await connect(t)
  const faulty = await spawn(t, 'faulty')
  const request = { to: faulty, type: 'late', body: { ms: 120 }, timeout_ms: 20 }
  assertError(await client.request('call', { id: 'x', ...request }), { code: 'timeout', outcome: 'unknown' })
  assert.equal((await client.ask('call', { to: faulty, type: 'late', body: { ms: 150 } })).op, 'reply')
  assert.deepEqual(await client.settled(), [])
})

test('a cast with an id is confirmed, one without is silent', async (t) => {
  const client = await connect(t)
  const ref = await spawn(t, 'counter')
  assert.deepEqual((await client.ask('cast', { to: ref, type: 'add', body: { by: 3 } })).body, { accepted: 1 })
  client.send({ op: 'cast', to: ref, type: 'add', body: { by: 4 } })
  assert.deepEqual(await client.call(ref, 'get'), { value: 7 })
  assert.deepEqual(await client.settled(), [])
})

test('a cast that is refused comes back: as error with an id, as undelivered without', async (t) => {
  const client = await connect(t)
  const counter = await spawn(t, 'counter')
  for (const [to, type, code] of [['@nobody', 'add', 'not_found'], [counter, 'fly', 'unknown_type']]) {
    assertError(await client.request('cast', { to, type, body: {} }), { code })
    client.send({ op: 'cast', to, type, body: {} })
    const undelivered = await client.next({ op: 'undelivered' })
    assert.equal(undelivered.to, to)
    assert.equal(undelivered.type, type)
    assert.equal(undelivered.code, code, undelivered.raw)
  }
})

test('a mailbox that is full refuses, and says when to come again', async (t) => {
  const client = await connect(t)
  const ref = await spawn(t, 'faulty', { mailbox: { messages: 3 } })
  client.send({ op: 'cast', to: ref, type: 'spin', body: { us: 300_000 } })
  for (let i = 0; i < 10; i++) client.send({ op: 'cast', to: ref, type: 'noop', body: {} })
  const undelivered = await client.next({ op: 'undelivered' })
  assert.equal(undelivered.code, 'mailbox_full')
  const error = await client.request('call', { to: ref, type: 'noop', body: {} })
  if (error.op === 'error') assert.ok(error.retry_after_ms > 0, error.raw)
})

test('what one session sends to an actor arrives in order', async (t) => {
  const client = await connect(t)
  const echo = await spawn(t, 'echo')
  const kv = await spawn(t, 'kv')
  for (let i = 0; i < 900; i++) {
    client.send({ op: 'call', id: i, to: echo, type: 'echo', body: i })
    client.send({ op: 'cast', to: kv, type: 'put', body: { key: 'last', value: i } })
    if (i % 100 === 99) assert.equal((await client.call(kv, 'get', { key: 'last' })).value, i)
  }
  const replies = []
  while (replies.length < 900) replies.push(await client.next({ op: 'reply' }))
  assert.deepEqual(replies.map(({ id, body }) => [id, body]), Array.from({ length: 900 }, (_, i) => [i, i]))
})

// ---- spawn and stop ----

test('spawn answers with the actor, and whether it was there', async (t) => {
  const client = await connect(t)
  const name = 'ws-hits'
  const made = await client.spawn('counter', { name, args: { value: 5 }, mailbox: { messages: 10 } })
  stopAfter(t, made.ref)
  const { behavior, existed } = made
  assert.deepEqual({ name: made.name, behavior, node: made.node, existed }, {
    name, behavior: 'counter', node: node.ready.node, existed: false,
  })
  assert.deepEqual(await client.call(`@${name}`, 'get'), { value: 5 })
  const again = await client.spawn('counter', { name, if_exists: 'return' })
  assert.deepEqual({ ref: again.ref, existed: again.existed }, { ref: made.ref, existed: true })
  const taken = assertError(await client.request('spawn', { behavior: 'counter', name }), { code: 'name_taken' })
  assert.equal(taken.actor, made.ref)
  assert.equal((await node.request('GET', `/v1/actors/${made.ref}`)).json.mailbox.messages_max, 10)
})

test('a spawn that fails says why', async (t) => {
  const client = await connect(t)
  assertError(await client.request('spawn', { behavior: 'nothing' }), { code: 'unknown_behavior' })
  assertError(await client.request('spawn', { behavior: 'faulty', args: { init: 'fail' } }), { code: 'start_failed' })
  assertError(await client.request('spawn', { behavior: 'counter', args: { value: 'x' } }), { code: 'schema' })
  const hang = { behavior: 'faulty', args: { init: 'hang' }, start_timeout_ms: 50 }
  assertError(await client.request('spawn', hang), { code: 'start_timeout' })
})

test('stop, drain and kill end an actor, and say whether it has ended', async (t) => {
  const client = await connect(t)
  for (const mode of [undefined, 'stop', 'drain', 'kill']) {
    const { ref } = await client.spawn('echo')
    assert.deepEqual((await client.ask('stop', { to: ref, mode, reason: 'a test' })).body, { ended: true })
    assertError(await client.request('call', { to: ref, type: 'echo', body: {} }), { code: 'gone' })
  }
  const { ref } = await client.spawn('faulty')
  client.send({ op: 'call', id: 'open', to: ref, type: 'late', body: { ms: 200 } })
  assert.deepEqual((await client.ask('stop', { to: ref, mode: 'drain', timeout_ms: 1 })).body, { ended: false })
  assert.equal((await client.next({ id: 'open' })).op, 'reply')
  await eventually(async () => (await node.request('GET', `/v1/actors/${ref}`)).status === 410, 'it ends all the same')
})

// ---- several ----

test('two clients meet in an actor, and each gets its own answers only', async (t) => {
  const [one, two] = await Promise.all([connect(t), connect(t)])
  const { ref } = await one.spawn('counter')
  stopAfter(t, ref)
  for (let i = 0; i < 100; i++) {
    for (const client of [one, two]) client.send({ op: 'call', id: i, to: ref, type: 'add', body: { by: 1 } })
  }
  const values = []
  for (const client of [one, two]) {
    for (let i = 0; i < 100; i++) values.push((await client.next({ op: 'reply', id: i })).body.value)
  }
  assert.deepEqual(values.sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i + 1))
  for (const client of [one, two]) assert.deepEqual(await client.settled(), [])
})
