// SPDX-License-Identifier: Apache-2.0
//
// How sessions begin and end: on a fresh connection and on one that has served requests, with a token, at their limits,
// by the client's going and by the node's.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { parseMetrics } from './lib/prometheus.mjs'
import { Connection, requestBytes } from './lib/socket.mjs'
import { start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'
import { frameBytes, handshake, openWebSocket, upgrade } from './lib/websocket.mjs'

const CALLS_MAX = 1024
const MONITORS_MAX = 1024
const SUBSCRIPTIONS_MAX = 256

async function connect(t, node, options) {
  const client = await openWebSocket(node, options)
  t.after(() => client.abort())
  return client
}

const connectMany = (t, node) => Promise.all(Array.from({ length: 10 }, () => connect(t, node)))

/** How many sessions the node says it has. */
async function sessions(node) {
  const { text } = await node.request('GET', '/metrics')
  return parseMetrics(text).get('troupe_ws_sessions').samples[0].value
}

// ---- the beginning ----

test('a connection that has served requests can be upgraded', async (t) => {
  const node = await start(t)
  await node.spawn('counter', { name: 'hits' })
  for (const requests of [1, 2, 50]) {
    const connection = await Connection.open(node.port)
    for (let i = 0; i < requests; i++) assert.equal((await connection.request('GET', '/v1/node')).status, 200)
    const body = '{"by":1}'
    assert.equal((await connection.request('POST', '/v1/actors/@hits/call/add', { body })).status, 200)
    const { client } = await upgrade(connection)
    assert.equal((await client.ask('call', { to: '@hits', type: 'get' })).op, 'reply')
    assert.deepEqual(await client.close(), { code: 1000, reason: '' })
  }
})

test('a refused upgrade leaves the connection to HTTP', async (t) => {
  const node = await start(t)
  const connection = await Connection.open(node.port)
  const { response, client } = await upgrade(connection, { version: '8' })
  assert.equal(client, null)
  assert.equal(response.status, 426)
  if (response.headers.get('connection') !== 'close') {
    assert.equal((await connection.request('GET', '/version')).status, 200)
    assert.notEqual((await upgrade(connection)).client, null)
  }
  connection.close()
})

test('a handshake that comes in pieces is taken', async (t) => {
  const node = await start(t)
  const bytes = requestBytes('GET', '/v1/ws', { headers: handshake() })
  const connection = await Connection.open(node.port)
  for (const byte of bytes) {
    connection.send(Buffer.from([byte]))
    await connection.flushed()
  }
  assert.equal((await connection.response()).status, 101)
  connection.close()
})

test('frames that do not wait for the answer to the handshake are refused with it, not swallowed', async (t) => {
  const node = await start(t)
  const ping = frameBytes({ payload: '{"op":"ping","id":1}' })
  for (const requests of [0, 1]) {
    const early = await Connection.open(node.port)
    for (let i = 0; i < requests; i++) assert.equal((await early.request('GET', '/version')).status, 200)
    early.send(Buffer.concat([requestBytes('GET', '/v1/ws', { headers: handshake() }), ping]))
    assert.equal((await early.response()).status, 400)
    await early.untilClosed()
    early.close()
  }
})

const sha256 = (text) => createHash('sha256').update(text).digest('hex')

test('a token may come as a subprotocol, and is not echoed', async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'tokens.json')
  const token = `tt_${'a'.repeat(43)}`
  const tokens = [{ id: 'web', sha256: sha256(token), subject: 'web', grants: ['read', 'message:counter/*', 'spawn'] }]
  writeFileSync(file, JSON.stringify({ tokens }), { mode: 0o600 })
  const node = await start(t, ['--tokens', file])
  for (const options of [{}, { protocols: ['troupe.v1.json', 'troupe.token.wrong'] }]) {
    const connection = await Connection.open(node.port)
    const { response } = await upgrade(connection, options)
    assert.equal(response.status, 401, response.text)
    connection.close()
  }
  const ways = [
    { protocols: ['troupe.v1.json', `troupe.token.${token}`] },
    { protocols: [`troupe.token.${token}`, 'troupe.v1.json'] },
    { headers: [['Authorization', `Bearer ${token}`]] },
  ]
  for (const options of ways) {
    const client = await connect(t, node, options)
    assert.equal(client.protocol, 'troupe.v1.json')
    const { ref } = await client.spawn('counter')
    assert.deepEqual(await client.call(ref, 'add', { by: 1 }), { value: 1 })
    assert.equal((await client.request('stop', { to: ref })).code, 'forbidden')
    const echo = await client.spawn('echo')
    assert.equal((await client.request('call', { to: echo.ref, type: 'echo', body: 1 })).code, 'forbidden')
  }
})

// ---- limits ----

test('open calls, monitors and subscriptions have a limit, and room again afterwards', async (t) => {
  const node = await start(t)
  const client = await connect(t, node)
  const { ref } = await client.spawn('faulty')
  const { ref: topic } = await client.spawn('topic')
  const rows = [
    ['call', CALLS_MAX, { to: ref, type: 'never', timeout_ms: 600_000 }, null],
    ['monitor', MONITORS_MAX, { to: topic }, 'demonitor'],
    ['subscribe', SUBSCRIPTIONS_MAX, { to: topic }, 'unsubscribe'],
  ]
  for (const [op, max, members] of rows) {
    for (let i = 0; i < max + 3; i++) client.send({ op, id: `${op}${i}`, ...members })
    for (let i = 0; i < 3; i++) {
      const error = await client.next({ op: 'error' })
      assert.equal(error.code, 'limit', error.raw)
      assert.equal(error.id, `${op}${max + i}`)
    }
    if (op !== 'call') for (let i = 0; i < max; i++) await client.next({ op: 'reply', id: `${op}${i}` })
  }
  for (const [op, , members, undo] of rows.slice(1)) {
    await client.ask(undo, { [op === 'monitor' ? 'monitor' : 'subscription']: `${op}0` })
    assert.equal((await client.request(op, { id: 'again', ...members })).op, 'reply')
    await client.ask(undo, { [op === 'monitor' ? 'monitor' : 'subscription']: 'again' })
  }
  await node.request('DELETE', `/v1/actors/${ref}`) // ends the calls with an error each: none is open any more
  for (let i = 0; i < CALLS_MAX; i++) await client.next({ op: 'error', id: `call${i}` })
  assert.equal((await client.ask('call', { to: topic, type: 'x', body: 1 })).op, 'reply')
})

// ---- the client goes ----

test('a client that leaves gives up its calls and leaves nothing behind', async (t) => {
  const node = await start(t, ['--drain-timeout', '100ms'])
  const { ref } = await node.spawn('faulty')
  const { ref: topic } = await node.spawn('topic')
  const kept = async () => (await node.request('GET', `/v1/actors/${ref}`)).json.kept_calls
  await Promise.all((await connectMany(t, node)).map((client) => client.close())) // what is made on first use is there
  await eventually(async () => (await sessions(node)) === 0, 'no session is open')
  const before = node.descriptors()
  const ways = [
    (client) => client.close(),
    (client) => client.abort(),
    (client) => client.abort({ reset: true }),
    (client) => client.send({ op: 'bye' }),
  ]
  let calls = 0
  for (const leave of ways) {
    const clients = await connectMany(t, node)
    for (const client of clients) {
      client.send({ op: 'call', id: 1, to: ref, type: 'never', timeout_ms: 600_000 })
      await client.ask('subscribe', { to: topic })
      await client.ask('monitor', { to: topic })
    }
    calls += clients.length
    await eventually(async () => (await kept()) === calls, 'the calls are with the actor')
    for (const client of clients) await leave(client)
    await eventually(() => node.descriptors() <= before, `the descriptors are back after ${leave}`)
  }
  assert.equal((await node.request('GET', `/v1/actors/${topic}`)).json.monitored_by, 0)
})

test('bye is answered by a close', async (t) => {
  const client = await connect(t, await start(t))
  client.send({ op: 'bye' })
  assert.equal((await client.untilClosed()).code, 1000)
})

test('sends before a close are done, replies after it are not sent', async (t) => {
  const node = await start(t)
  const { ref } = await node.spawn('counter')
  const client = await connect(t, node)
  for (let i = 0; i < 500; i++) client.send({ op: 'cast', to: ref, type: 'add', body: { by: 1 } })
  await client.close()
  const { json } = await node.request('POST', `/v1/actors/${ref}/call/get`, { json: {} })
  assert.deepEqual(json, { value: 500 })
})

// ---- the node goes ----

test('a node that drains says bye, answers what it has taken, and closes with 1001', async (t) => {
  const node = await start(t)
  const { ref } = await node.spawn('faulty')
  const [busy, idle] = await Promise.all([connect(t, node), connect(t, node)])
  await idle.ask('ping')
  busy.send({ op: 'call', id: 'late', to: ref, type: 'late', body: { ms: 300 } })
  const isThere = async () => (await node.request('GET', `/v1/actors/${ref}`)).json.kept_calls === 1
  await eventually(isThere, 'the call is with the actor')
  node.signalTo('SIGTERM')
  for (const client of [busy, idle]) {
    const bye = await client.next({ op: 'bye' })
    assert.equal(bye.code, 'draining')
    assert.ok(bye.detail.length > 0)
  }
  assert.equal((await busy.next({ id: 'late' })).op, 'reply')
  for (const client of [busy, idle]) assert.equal((await client.untilClosed()).code, 1001)
  const { code, stderr } = await node.untilExit()
  assert.equal(code, 0, stderr)
})

test('a call that never ends does not keep a node from draining', async (t) => {
  const node = await start(t, ['--drain-timeout', '200ms'])
  const { ref } = await node.spawn('faulty')
  const client = await connect(t, node)
  client.send({ op: 'call', id: 1, to: ref, type: 'never', timeout_ms: 600_000 })
  await client.settled()
  node.signalTo('SIGTERM')
  await client.next({ op: 'bye' })
  await client.untilClosed()
  assert.equal((await node.untilExit()).code, 0)
})

test('a client that does not read cannot keep a node from its end', async (t) => {
  const node = await start(t, ['--drain-timeout', '200ms'])
  const { ref } = await node.spawn('faulty')
  const client = await connect(t, node)
  client.pause()
  for (let i = 0; i < 20; i++) client.send({ op: 'call', id: i, to: ref, type: 'big', body: { bytes: 500_000 } })
  await eventually(async () => (await node.request('GET', `/v1/actors/${ref}`)).json.processed > 0, 'it has begun')
  node.signalTo('SIGTERM')
  assert.equal((await node.untilExit()).code, 0)
})
