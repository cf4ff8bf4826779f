// SPDX-License-Identifier: Apache-2.0
//
// A node behind nginx with `keepalive 32`: REST calls, upgrades and event streams mixed on the proxy's kept-alive
// connections, so that an upgrade comes on a connection that has served others. None fails, and each call is made once.
//
//   PROXY_UPGRADES, PROXY_CALLS   how many; `./x soak proxy` takes 1,000 and 100,000

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { openEvents } from './lib/events.mjs'
import { PROXY_HOST, startNginx } from './lib/nginx.mjs'
import { Connection } from './lib/socket.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'
import { openWebSocket } from './lib/websocket.mjs'

const UPGRADES = Number(process.env.PROXY_UPGRADES ?? 200)
const CALLS = Number(process.env.PROXY_CALLS ?? 5000)
const REST_CLIENTS = 32
const OPENERS = 8
const host = PROXY_HOST

async function behindProxy(t) {
  const node = await start(t, ['--allow-host', PROXY_HOST])
  return { node, nginx: await startNginx(t, node) }
}

/** Call until there are no more tickets, on one connection as long as the proxy keeps it. */
async function restClient(nginx, tickets, done) {
  let connection = null
  while (tickets.left > 0) {
    tickets.left -= 1
    if (!connection || connection.isOver) connection = await Connection.openPath(nginx.path)
    const response = await connection.request('POST', '/v1/actors/@hits/call/add', { host, body: '{"by":1}' })
    assert.equal(response.status, 200, response.text)
    done.calls += 1
    if (response.headers.get('connection') === 'close') {
      connection.close()
      connection = null
    }
  }
  connection?.close()
}

/** Open sessions until there are no more tickets; every third one is closed at once, by turns well and abruptly. */
async function opener(nginx, tickets, done) {
  while (tickets.left > 0) {
    const n = tickets.left--
    const client = await openWebSocket(nginx, { host })
    await client.call('@hits', 'add', { by: 1 })
    done.calls += 1
    done.upgrades += 1
    if (n % 6 === 0) await client.close()
    else if (n % 6 === 3) client.abort()
    else done.open.push(client)
  }
}

test(`${UPGRADES} upgrades and ${CALLS} REST calls through nginx: none fails`, async (t) => {
  const { node, nginx } = await behindProxy(t)
  await node.spawn('counter', { name: 'hits' })
  const done = { calls: 0, upgrades: 0, open: [] }
  const started = Date.now()
  const [calls, upgrades] = [{ left: CALLS }, { left: UPGRADES }]
  const rest = Array.from({ length: REST_CLIENTS }, () => restClient(nginx, calls, done))
  const sessions = Array.from({ length: OPENERS }, () => opener(nginx, upgrades, done))
  await Promise.all([...rest, ...sessions])
  assert.equal(done.upgrades, UPGRADES)
  assert.equal(done.calls, CALLS + UPGRADES)
  for (const client of done.open) {
    assert.equal((await client.ask('ping')).op, 'pong')
    assert.deepEqual(client.untaken, [])
  }
  t.diagnostic(`${done.calls} calls and ${done.upgrades} upgrades in ${Date.now() - started} ms`)
  const { json } = await node.request('POST', '/v1/actors/@hits/call/get', { json: {} })
  assert.deepEqual(json, { value: CALLS + UPGRADES }, 'each call was made exactly once')
  assert.equal(nginx.errors, '')
  const open = node.descriptors()
  for (const client of done.open) await client.close()
  await eventually(() => node.descriptors() <= open - done.open.length, 'the sessions are gone from the node')
})

test('an event stream flows through nginx, beside calls', async (t) => {
  const { node, nginx } = await behindProxy(t)
  const { ref } = await node.spawn('topic')
  const stream = await openEvents(nginx, `/v1/actors/${ref}/events`, { host })
  const writer = await Connection.openPath(nginx.path)
  for (let i = 0; i < 100; i++) {
    const target = `/v1/actors/${ref}/call/news`
    assert.equal((await writer.request('POST', target, { host, body: String(i) })).status, 200)
    assert.equal((await stream.next()).json, i)
  }
  writer.close()
  const open = node.descriptors()
  stream.close()
  await eventually(() => node.descriptors() < open, 'the stream is gone from the node')
})

test('a node that drains behind nginx says so to its sessions', async (t) => {
  const { node, nginx } = await behindProxy(t)
  const client = await openWebSocket(nginx, { host })
  await client.ask('ping')
  node.signalTo('SIGTERM')
  assert.equal((await client.next({ op: 'bye' })).code, 'draining')
  assert.equal((await client.untilClosed()).code, 1001)
  assert.equal((await node.untilExit()).code, 0)
})
