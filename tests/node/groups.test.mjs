// SPDX-License-Identifier: Apache-2.0
//
// Groups by REST on a real node: members, lists, casts, multi-calls with a result of each member, joins and leaves as
// events; and filters of event streams and of sessions. Answers are held against /openapi.json.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { Contract, WatchedClient } from './lib/contract.mjs'
import { askEvents, openEvents } from './lib/events.mjs'
import { assertProblem } from './lib/problem.mjs'
import { suite } from './lib/suite.mjs'
import { startWithTokens } from './lib/tokens.mjs'
import { start, withJson } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'
import { openWebSocket } from './lib/websocket.mjs'

let node
let client

before(async () => {
  node = await start(suite)
  client = new WatchedClient(node, await Contract.of(node))
  suite.after(() => client.close())
})

async function spawn(t, behavior, more = {}) {
  const { ref } = await node.spawn(behavior, more)
  t.after(() => node.request('DELETE', `/v1/actors/${ref}?mode=kill`))
  return ref
}

const inScope = (scope) => (scope ? `?scope=${scope}` : '')
const join = (group, ref, scope) => client.request('PUT', `/v1/groups/${group}/members/${ref}${inScope(scope)}`)
const leave = (group, ref, scope) => client.request('DELETE', `/v1/groups/${group}/members/${ref}${inScope(scope)}`)
const members = async (group, scope) => {
  const response = await client.get(`/v1/groups/${group}${inScope(scope)}`)
  assert.equal(response.status, 200, response.text)
  return response.json.items.map(({ ref }) => ref)
}

async function mustJoin(group, ref, scope) {
  const response = await join(group, ref, scope)
  assert.equal(response.status, 204, response.text)
}

// ---- members ----

test('members are listed in the order of joining, once, until they leave or end', async (t) => {
  const [a, b] = [await spawn(t, 'counter', { name: 'first' }), await spawn(t, 'echo')]
  await mustJoin('order', a)
  await mustJoin('order', b)
  await mustJoin('order', '@first') // again
  assert.deepEqual(await members('order'), [a, b])
  const page = (await client.get('/v1/groups/order?limit=1')).json
  assert.deepEqual(page.items, [{ ref: a, behavior: 'counter', name: 'first' }])
  const rest = (await client.get(`/v1/groups/order?limit=5&cursor=${page.next}`)).json
  assert.deepEqual([rest.items.map(({ ref }) => ref), rest.next], [[b], null])
  assert.equal((await leave('order', '@first')).status, 204)
  assertProblem(await leave('order', a), { status: 404, code: 'not_found', field: 'ref' })
  await node.request('DELETE', `/v1/actors/${b}`)
  assert.deepEqual(await members('order'), [])
})

test('an actor that has ended cannot be joined', async (t) => {
  const ref = await spawn(t, 'counter')
  await node.request('DELETE', `/v1/actors/${ref}?mode=kill`)
  assertProblem(await join('late', ref), { status: 410, code: 'gone', field: 'ref' })
  assertProblem(await join('late', '@nobody-has-this'), { status: 404, code: 'not_found', field: 'ref' })
  assert.deepEqual(await members('late'), [])
})

test('groups and scopes are listed while they have members', async (t) => {
  const ref = await spawn(t, 'counter')
  await mustJoin('listed', ref, 'shop')
  await mustJoin('listed', ref)
  const groups = (await client.get('/v1/groups?scope=shop')).json.items
  assert.deepEqual(groups, [{ scope: 'shop', group: 'listed', members: 1 }])
  const all = (await client.get('/v1/groups')).json.items
  assert.ok(all.some(({ scope, group }) => scope === '' && group === 'listed'))
  assert.ok((await client.get('/v1/scopes')).json.items.some(({ scope, groups }) => scope === 'shop' && groups === 1))
  await leave('listed', ref, 'shop')
  assert.deepEqual((await client.get('/v1/groups?scope=shop')).json.items, [])
  assert.ok(!(await client.get('/v1/scopes')).json.items.some(({ scope }) => scope === 'shop'))
})

test('what is no group, scope or type is told apart', async (t) => {
  const ref = await spawn(t, 'counter')
  assertProblem(await client.get('/v1/groups/a%20b'), { status: 400, code: 'invalid', field: 'group' })
  assertProblem(await client.get(`/v1/groups/${'x'.repeat(65)}`), { status: 400, code: 'invalid', field: 'group' })
  assertProblem(await client.get('/v1/groups/a?scope=b%2Fc'), { status: 400, code: 'invalid', field: 'scope' })
  assertProblem(await client.get('/v1/groups?scope=b%2Fc'), { status: 400, code: 'invalid', field: 'scope' })
  assertProblem(await join('a%20b', ref), { status: 400, code: 'invalid', field: 'group' })
  assertProblem(await client.post('/v1/groups/a/cast/a%20b', {}), { status: 400, code: 'invalid', field: 'type' })
  assertProblem(await client.post('/v1/groups/a/call/a%20b', {}), { status: 400, code: 'invalid', field: 'type' })
})

// ---- sending ----

test('a cast reaches all members, and is told in numbers', async (t) => {
  const [a, b, other] = [await spawn(t, 'counter'), await spawn(t, 'counter'), await spawn(t, 'echo')]
  for (const ref of [a, b]) await mustJoin('cast', ref)
  const response = await client.post('/v1/groups/cast/cast/add', { by: 3 })
  assert.deepEqual([response.status, response.json], [202, { members: 2, accepted: 2, refused: 0 }])
  for (const ref of [a, b])
    assert.deepEqual((await node.request('POST', `/v1/actors/${ref}/call/get`)).json, { value: 3 })
  await mustJoin('cast', other)
  assert.deepEqual((await client.post('/v1/groups/cast/cast/nonsense', {})).json, { members: 3, accepted: 1, refused: 2 })
  assert.deepEqual((await client.post('/v1/groups/empty/cast/add', {})).json, { members: 0, accepted: 0, refused: 0 })
})

test('a batch for a group is refused, not taken for one message', async () => {
  const headers = [['Content-Type', 'application/x-ndjson']]
  const response = await client.request('POST', '/v1/groups/cast/cast/add', { headers, body: '{"by":1}\n{"by":2}\n' })
  assertProblem(response, { status: 400, code: 'invalid', field: 'Content-Type', detail: /one by one/ })
})

test('a multi-call gives a result of each member: replies, refusals and deadlines', async (t) => {
  const counter = await spawn(t, 'counter', { args: { value: 7 } })
  const echo = await spawn(t, 'echo')
  const silent = await spawn(t, 'faulty')
  for (const ref of [counter, silent, echo]) await mustJoin('all', ref)
  const response = await client.post('/v1/groups/all/call/get?timeout=200ms', { a: 1 })
  assert.equal(response.status, 200, response.text)
  const { members, replied, refused, results } = response.json
  assert.deepEqual([members, replied, refused, results.length], [3, 2, 1, 3])
  const of = (ref) => results.find((result) => result.ref === ref)
  assert.deepEqual(of(counter), { ref: counter, status: 200, body: { value: 7 } })
  assert.deepEqual(of(echo), { ref: echo, status: 200, body: { a: 1 } })
  assert.equal(of(silent).status, 422)
  assert.equal(of(silent).code, 'unknown_type')
  assert.equal(of(silent).retry, 'no')
})

test('who does not reply before the deadline has a result too', async (t) => {
  const [silent, echo] = [await spawn(t, 'faulty'), await spawn(t, 'echo')]
  for (const ref of [silent, echo]) await mustJoin('silent', ref)
  const { json } = await client.post('/v1/groups/silent/call/never?timeout=50ms', {})
  const late = json.results.find(({ ref }) => ref === silent)
  assert.deepEqual([json.replied, late.status, late.code, late.outcome], [1, 504, 'timeout', 'unknown'])
})

test('a reply that is not what it says stands in base64, and cannot end the document', async (t) => {
  const ref = await spawn(t, 'echo')
  await mustJoin('bytes', ref)
  const say = (type, body) =>
    client.request('POST', '/v1/groups/bytes/call/any', { headers: [['Content-Type', type]], body })
  const broken = (await say('application/json', '"}]},')).json.results
  assert.equal(Buffer.from(broken[0].body_b64, 'base64').toString(), '"}]},')
  assert.equal(broken[0].content_type, 'application/json')
  const text = (await say('text/plain', 'x'.repeat(10000))).json.results
  assert.equal(Buffer.from(text[0].body_b64, 'base64').toString(), 'x'.repeat(10000))
  assert.equal(text[0].content_type, 'text/plain')
})

test('what is too large for one document has no body, and says so', async (t) => {
  const body = JSON.stringify('x'.repeat(1_000_000))
  const count = 18
  for (let i = 0; i < count; i++) await mustJoin('large', await spawn(t, 'echo'))
  const { json } = await client.request('POST', '/v1/groups/large/call/any', { headers: [['Content-Type', 'application/json']], body })
  assert.equal(json.replied, count)
  const [whole, cut] = [200, 413].map((wanted) => json.results.filter(({ status }) => status === wanted))
  assert.deepEqual([whole.length, cut.length], [16, 2])
  assert.ok(cut.every(({ code, body }) => code === 'too_large' && body === undefined))
})

test('a large cast to a large group stops at the memory budget', async (t) => {
  const small = await start(t, ['--memory-max', '32M'])
  const members = 200
  for (let i = 0; i < members; i++) {
    const { ref } = await small.spawn('echo')
    await small.request('POST', `/v1/actors/${ref}/suspend`)
    await small.request('PUT', `/v1/groups/many/members/${ref}`)
  }
  const { json } = await small.request('POST', '/v1/groups/many/cast/any', { json: 'x'.repeat(1_000_000) })
  assert.equal(json.members, members)
  assert.ok(json.accepted >= 20 && json.accepted <= 60, `accepted ${json.accepted}`) // of 80 % of 32 MiB
  const { memory_bytes: memory } = (await small.request('GET', '/healthz')).json
  assert.ok(memory < 64 << 20, `${memory} bytes`)
})

test('multi-calls that wait for a silent member hold their results no further than the memory budget', async (t) => {
  const small = await start(t, ['--memory-max', '32M', '--workers', '1']) // their share are 4 MiB
  const [first, second, silent] = (await Promise.all([1, 2, 3].map(() => small.spawn('echo')))).map(({ ref }) => ref)
  for (const ref of [first, second, silent]) await small.request('PUT', `/v1/groups/slow/members/${ref}`)
  const of = async (ref) => (await small.request('GET', `/v1/actors/${ref}`)).json
  await small.request('POST', `/v1/actors/${silent}/suspend`)
  const call = (bytes) => small.request('POST', '/v1/groups/slow/call/any?timeout=10m', { json: 'x'.repeat(bytes - 2) })
  const waiting = []
  for (const bytes of [1_000_000, 1_000_000, 1_000_000, 100_000, 50_000]) {
    waiting.push(call(bytes))
    await eventually(async () => (await of(silent)).mailbox.depth === waiting.length, 'the call')
    await eventually(async () => (await of(second)).processed === waiting.length, 'its results')
  }
  assertProblem(await call(100), { status: 503, code: 'overloaded', retry: 'yes', outcome: 'not_done' })
  await small.request('POST', `/v1/actors/${silent}/resume`)
  const answers = await Promise.all(waiting)
  const whole = answers.map(({ json }) => json.results.filter(({ ref, body }) => ref !== silent && body).length)
  assert.deepEqual(whole, [2, 2, 0, 1, 1])
  assert.ok(answers[2].json.results.every(({ ref, code }) => ref === silent || code === 'too_large'))
  assert.equal((await call(100)).json.replied, 3)
})

test('a group of more than 10,000 members is cast to, but not called', async (t) => {
  const hundred = async () => {
    const connection = await node.connect()
    for (let i = 0; i < 100; i++) {
      const ref = (await connection.request('POST', '/v1/actors', json({ behavior: 'echo' }))).json.ref
      await connection.request('PUT', `/v1/groups/crowd/members/${ref}`)
    }
    connection.close()
  }
  const json = (document) => withJson({ json: document })
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 10 }, hundred))
  assert.equal((await client.post('/v1/groups/crowd/cast/any', {})).json.accepted, 10_000)
  assert.equal((await client.post('/v1/groups/crowd/call/any', {})).json.replied, 10_000)
  await mustJoin('crowd', await spawn(t, 'echo'))
  assertProblem(await client.post('/v1/groups/crowd/call/any', {}), { status: 429, code: 'limit', field: 'group' })
})

test('a client that leaves during a multi-call costs the node nothing', async (t) => {
  const ref = await spawn(t, 'faulty')
  await mustJoin('left', ref)
  const connection = await node.connect()
  connection.send('POST /v1/groups/left/call/never?timeout=10m HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n')
  connection.close()
  assert.deepEqual((await client.get('/v1/groups/left')).json.items.length, 1)
})

// ---- events ----

test('joins and leaves of a group are events, also of one that nobody is in yet', async (t) => {
  const ref = await spawn(t, 'counter')
  const stream = await openEvents(node, '/v1/groups/news/events')
  t.after(() => stream.close())
  await mustJoin('news', ref)
  await leave('news', ref)
  const joined = await stream.next()
  assert.deepEqual([joined.event, joined.json], ['join', { scope: '', group: 'news', ref, members: 1 }])
  const left = await stream.next()
  assert.deepEqual([left.event, left.json.members], ['leave', 0])
  await mustJoin('news', ref)
  const again = await openEvents(node, '/v1/groups/news/events', { lastEventId: joined.id })
  t.after(() => again.close())
  assert.equal((await again.next()).id, left.id)
})

test('the events of a scope are those of all its groups', async (t) => {
  const ref = await spawn(t, 'counter')
  const stream = await openEvents(node, '/v1/scopes/events?scope=wide')
  t.after(() => stream.close())
  await mustJoin('one', ref, 'wide')
  await mustJoin('one', ref)
  await mustJoin('two', ref, 'wide')
  await node.request('DELETE', `/v1/actors/${ref}?mode=kill`)
  const seen = []
  for (let i = 0; i < 4; i++) {
    const { event, json } = await stream.next()
    assert.equal(json.scope, 'wide')
    seen.push(`${event} ${json.group}`)
  }
  assert.deepEqual([seen.slice(0, 2), seen.slice(2).sort()], [['join one', 'join two'], ['leave one', 'leave two']])
})

// ---- filters ----

async function publish(ref, ...types) {
  for (const type of types) await node.request('POST', `/v1/actors/${ref}/call/${type}`, { json: type })
}

test('a stream has only the types that it asks for', async (t) => {
  const ref = await spawn(t, 'topic')
  const stream = await openEvents(node, `/v1/actors/${ref}/events?types=order.*,paid`)
  t.after(() => stream.close())
  await publish(ref, 'noise', 'order.made', 'noise', 'paid', 'paid.late', 'order.')
  const seen = []
  for (let i = 0; i < 3; i++) seen.push((await stream.next()).event)
  assert.deepEqual(seen, ['order.made', 'paid', 'order.'])
})

test('types that are no filter are refused', async (t) => {
  const ref = await spawn(t, 'topic')
  for (const types of ['', 'a,,b', 'a*b', 'a%20b', '1,2,3,4,5,6,7,8,9'])
    assertProblem(await client.get(`/v1/actors/${ref}/events?types=${types}`), { status: 400, code: 'invalid', field: 'types' })
})

test('a session subscribes to types', async (t) => {
  const ref = await spawn(t, 'topic')
  const session = await openWebSocket(node)
  t.after(() => session.abort())
  session.send({ op: 'subscribe', id: 's', to: ref, types: ['order.*', 'paid'] })
  assert.equal((await session.next()).op, 'reply')
  await publish(ref, 'noise', 'order.made', 'noise', 'paid')
  assert.equal((await session.next()).type, 'order.made')
  assert.equal((await session.next()).type, 'paid')
  session.send({ op: 'unsubscribe', id: 1, subscription: 's' })
  assert.equal((await session.next()).op, 'reply')
  for (const types of [[], ['a b'], ['*', 1], ['1', '2', '3', '4', '5', '6', '7', '8', '9'], 'paid']) {
    session.send({ op: 'subscribe', id: 2, to: ref, types })
    const error = await session.next()
    assert.deepEqual([error.op, error.code, error.field], ['error', 'schema', 'types'], JSON.stringify(types))
  }
})

test('a filter keeps its types, not the frame they came in', async (t) => {
  const ref = await spawn(t, 'topic')
  const session = await openWebSocket(node)
  t.after(() => session.abort())
  const memory = async () => (await node.request('GET', '/healthz')).json.memory_bytes
  const before = await memory()
  for (let i = 0; i < 20; i++) {
    session.sendText(`{"op":"subscribe","id":${i},"to":"${ref}","types":["paid"${' '.repeat(900_000)}]}`)
    assert.equal((await session.next()).op, 'reply')
  }
  assert.ok((await memory()) - before < 1_000_000)
})

// ---- who may ----

test('a grant of a group is for that group in the default scope, and of SCOPE/GROUP in that one', async () => {
  const guarded = await startWithTokens(suite, [
    { id: 'all', grants: ['*'] },
    { id: 'room', grants: ['message:+room-*:add', 'read:+room-*'] },
    { id: 'scoped', grants: ['message:+shop/room-*', 'read:+shop/*'] },
    { id: 'adder', grants: ['message:+room-*', 'message:counter/*'] },
    { id: 'one-type', grants: ['message:+room-*:add', 'message:counter/*:add'] },
  ])
  const spawned = await guarded.as('all', 'POST', '/v1/actors', { json: { behavior: 'counter', name: 'it' } })
  assert.equal(spawned.status, 201)
  const secret = await guarded.as('all', 'POST', '/v1/actors', { json: { behavior: 'kv', name: 'secret' } })
  assert.equal(secret.status, 201)
  const ask = async (id, method, target) => (await guarded.as(id, method, target, method === 'POST' ? { json: {} } : {})).status
  assert.equal(await ask('adder', 'PUT', '/v1/groups/room-1/members/@it'), 204)
  assert.equal(await ask('adder', 'PUT', '/v1/groups/room-1/members/@secret'), 403) // it may send to room-1, so not to all
  assert.equal(await ask('adder', 'PUT', '/v1/groups/hall/members/@it'), 403)
  assert.equal(await ask('one-type', 'PUT', '/v1/groups/room-1/members/@it'), 403) // a member is sent all types
  assert.equal(await ask('room', 'POST', '/v1/groups/room-1/cast/add'), 202)
  assert.equal(await ask('room', 'POST', '/v1/groups/room-1/call/get'), 403)
  assert.equal(await ask('room', 'POST', '/v1/groups/room-1/call/add?scope=shop'), 403)
  assert.equal(await ask('scoped', 'POST', '/v1/groups/room-1/call/get'), 403)
  assert.equal(await ask('scoped', 'POST', '/v1/groups/room-1/call/get?scope=shop'), 200)
  assert.equal(await ask('room', 'GET', '/v1/groups/room-1'), 200)
  assert.equal(await ask('room', 'GET', '/v1/groups/hall'), 403)
  assert.equal(await ask('adder', 'GET', '/v1/groups/room-1/events'), 403)
  await guarded.as('all', 'PUT', '/v1/groups/hall/members/@it')
  const listed = (await guarded.as('room', 'GET', '/v1/groups')).json.items
  assert.deepEqual(listed.map(({ group }) => group), ['room-1'])
})

// ---- code and document agree ----

test('every operation of groups was exercised, and every answer is documented', async () => {
  const { contract } = client
  for (const target of ['/v1/groups/room/events', '/v1/scopes/events']) {
    const { response, stream } = await askEvents(node, target)
    contract.see('GET', target, response)
    stream.close()
  }
  const ours = / \/v1\/(groups|scopes)/
  assert.equal(contract.operations.filter((one) => ours.test(one)).length, 9)
  assert.deepEqual(contract.unexercised.filter((one) => ours.test(one)), [])
  assert.deepEqual(contract.faults, [])
})
