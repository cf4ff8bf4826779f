// SPDX-License-Identifier: Apache-2.0
//
// Clients who try to get more than they were given by WebSocket, event streams and tickets.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { askEvents, askEventsOn, openEvents } from './lib/events.mjs'
import { assertProblem } from './lib/problem.mjs'
import { parseMetrics } from './lib/prometheus.mjs'
import { startWithTokens } from './lib/tokens.mjs'
import { isSanitized, start } from './lib/trouped.mjs'
import { handshake, openWebSocket, upgrade } from './lib/websocket.mjs'

const ticketOf = async (node, json = {}) => (await node.as('web', 'POST', '/v1/tickets', { json })).json.ticket

const figure = async (node, name) => {
  const families = parseMetrics((await node.request('GET', '/metrics')).text)
  return families.get(name).samples[0].value
}

// ---- tickets ----

test('a ticket that comes as a subprotocol opens a session and nothing else', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'] }])
  const ticket = await ticketOf(node, { grants: ['read'] })
  const headers = handshake({ protocols: ['troupe.v1.json', `troupe.ticket.${ticket}`] })
  for (const target of ['/v1/tickets', '/v1/node', '/metrics', '/v1/events']) {
    const connection = await node.connect()
    const response = await connection.request(target === '/v1/tickets' ? 'POST' : 'GET', target, { headers })
    assertProblem(response, { status: 401, code: 'unauthorized', field: 'Authorization' })
    connection.close()
  }
  const { client } = await upgrade(await node.connect(), { protocols: ['troupe.v1.json', `troupe.ticket.${ticket}`] })
  await client.ask('subscribe', { topic: 'cluster' }) // none of this has used it up
  await client.close()
})

test('a token in the place of a ticket is none: it would end up in logs', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'] }])
  const { response } = await askEvents(node, `/v1/events?ticket=${node.tokens.secrets.web}`)
  assertProblem(response, { status: 401, code: 'unauthorized', field: 'ticket' })
  const refused = await upgrade(await node.connect(), { protocols: [`troupe.ticket.${node.tokens.secrets.web}`] })
  assertProblem(refused.response, { status: 401, code: 'unauthorized', field: 'Sec-WebSocket-Protocol' })
})

test('a ticket of the token that its connection has used before leaves nothing behind', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'], connections_max: 1 }])
  const connection = await node.connect()
  const headers = node.tokens.headers('web')
  const byToken = async () => (await connection.request('POST', '/v1/tickets', { headers, body: '{}' })).json.ticket
  for (let i = 0; i < 3; i++) {
    const target = `/v1/events?after=no-event&ticket=${await byToken()}`
    assertProblem(await connection.request('GET', target), { status: 400, code: 'invalid', field: 'after' })
  }
  const { stream } = await askEventsOn(connection, `/v1/events?ticket=${await byToken()}`)
  const full = await askEvents(node, '/v1/events', { headers: node.tokens.headers('web') })
  assertProblem(full.response, { status: 429, code: 'limit' })
  node.tokens.write([]) // whoever holds the token still is told by the sanitizer when the node has ended
  await node.reload()
  await stream.untilEnded()
})

// ---- handshakes ----

test('HEAD does not begin a session', async (t) => {
  const node = await start(t)
  const { response } = await upgrade(await node.connect(), { method: 'HEAD' })
  assert.equal(response.status, 426)
})

// ---- readers that do not read ----

test('many streams whose readers are slow do not fill the memory of the node', async (t) => {
  const node = await start(t, ['--workers', '2', '--memory-max', '64M'])
  const { ref } = await node.spawn('topic')
  const quick = await openEvents(node, `/v1/actors/${ref}/events`)
  const slow = await Promise.all(Array.from({ length: 40 }, () => openEvents(node, `/v1/actors/${ref}/events`)))
  for (const stream of slow) stream.pause()
  const client = await openWebSocket(node)
  const before = node.memory()
  for (let i = 0; i < 16; i++) {
    const { body } = await client.ask('publish', { to: ref, type: 'news', body: 'x'.repeat(1_000_000) })
    assert.equal((await quick.next()).id, body.id)
  }
  const bytes = await figure(node, 'troupe_memory_bytes')
  assert.ok(bytes < 12 << 20, `${bytes} bytes`) // an eighth of 64 MiB, and what the topic keeps
  assert.ok(await figure(node, 'troupe_streams') < 41, 'the test did not fill what slow readers may keep')
  if (!isSanitized) assert.ok(node.memory() - before < 24 << 20, `grown by ${node.memory() - before} bytes`)
  for (const stream of slow) stream.close()
  quick.close()
  await client.close()
})
