// SPDX-License-Identifier: Apache-2.0
//
// What keeps web pages away from a node that did not serve them, and what lets its own in: Host, Origin, CORS, tickets.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { startCluster } from './lib/cluster.mjs'
import { askEvents, openEvents } from './lib/events.mjs'
import { assertProblem } from './lib/problem.mjs'
import { startWithTokens } from './lib/tokens.mjs'
import { start } from './lib/trouped.mjs'
import { openWebSocket, upgrade } from './lib/websocket.mjs'

const paths = ['/v1/node', '/v1/actors', '/v1/events', '/v1/registry', '/livez', '/', '/metrics', '/no/such/path']
const get = async (node, target, headers) => {
  const connection = await node.connect()
  const response = await connection.request('GET', target, { headers })
  connection.close()
  return response
}

// ---- pages of others ----

test('DNS rebinding: a Host that is not the node is refused everywhere, WebSocket and streams too', async (t) => {
  const node = await start(t)
  const hosts = ['evil.example', `evil.example:${node.port}`, 'localhost.evil.example', '127.0.0.1.evil.example',
    'xn--localhost', '2130706433', '127.1', '0x7f.0.0.1']
  for (const host of hosts) {
    for (const path of paths) {
      assertProblem(await get(node, path, [['Host', host]]), { status: 421, code: 'wrong_host', ...fieldOf(path) })
    }
    const { response } = await upgrade(await node.connect(), { host })
    assertProblem(response, { status: 421, code: 'wrong_host', field: 'Host' })
  }
})

/** Probes are answered before a request has fields. */
const fieldOf = (path) => (path === '/livez' ? {} : { field: 'Host' })

/** Origins that look like the node's own, or like nothing. */
const strangers = (node) => [
  'http://evil.example', `http://127.0.0.1:${node.port}.evil.example`, `http://127.0.0.1:${node.port}@evil.example`,
  `http://127.0.0.1:${node.port}/`, `http://127.0.0.1:${node.port}0`, 'http://127.0.0.1',
  `http://127.0.0.1:${String(node.port).slice(0, -1)}`, `http://evil.example:${node.port}`,
  `ftp://127.0.0.1:${node.port}`, `127.0.0.1:${node.port}`,
  'null', '', 'http://', 'file://', `http://x127.0.0.1:${node.port}`, `http://127.0.0.1:${node.port} evil.example`,
]

test('cross-site pages can neither read nor open a WebSocket nor a stream, with a token or without', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'] }])
  const headers = node.tokens.headers('web')
  const host = `127.0.0.1:${node.port}`
  for (const origin of strangers(node)) {
    const evil = [['Host', host], ['Origin', origin], ...headers]
    for (const path of paths) {
      const response = await get(node, path, evil)
      assertProblem(response, { status: 403, code: 'wrong_origin', field: 'Origin' })
      assert.equal(response.headers.get('access-control-allow-origin'), undefined)
    }
    const { response } = await upgrade(await node.connect(), { host, headers: evil.slice(1) })
    assertProblem(response, { status: 403, code: 'wrong_origin', field: 'Origin' })
    const asked = await askEvents(node, '/v1/events', { headers: evil })
    assertProblem(asked.response, { status: 403, code: 'wrong_origin', field: 'Origin' })
  }
})

// ---- pages of our own ----

test('a page of an allowed origin may read, and may send what it needs to', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'] }], ['--allow-origin', 'https://app.example'])
  const origin = ['Origin', 'https://app.example']
  const preflight = await node.request('OPTIONS', '/v1/actors/@x/call/get', {
    headers: [origin, ['Access-Control-Request-Method', 'POST'], ['Access-Control-Request-Headers', 'authorization']],
  })
  assert.equal(preflight.status, 204) // a preflight brings no token
  assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://app.example')
  const allowed = preflight.headers.get('access-control-allow-headers').toLowerCase().split(', ')
  for (const name of ['authorization', 'content-type', 'last-event-id', 'if-none-match'])
    assert.ok(allowed.includes(name), name)
  assert.match(preflight.headers.get('access-control-allow-methods'), /POST/)

  for (const [id, status] of [['web', 200], [null, 401]]) {
    const response = await node.as(id, 'GET', '/v1/node', { headers: [origin] })
    assert.equal(response.status, status)
    assert.equal(response.headers.get('access-control-allow-origin'), 'https://app.example') // also for refusals
    assert.equal(response.headers.get('access-control-allow-credentials'), undefined)
  }
  const client = await openWebSocket(node, { headers: [origin, ...node.tokens.headers('web')] })
  await client.close()
  const stream = await openEvents(node, '/v1/events', { headers: [origin, ...node.tokens.headers('web')] })
  stream.close()
})

test('an answer that a cache may keep says that it depends on the origin, also without one', async (t) => {
  const node = await start(t, ['--allow-origin', 'https://app.example'])
  for (const path of ['/v1/node', '/v1/actors', '/openapi.json', '/version', '/v1/actors/@none', '/no/such']) {
    for (const headers of [[], [['Origin', 'https://app.example']]]) {
      const response = await node.request('GET', path, { headers })
      assert.match(response.headers.get('vary') ?? '', /\bOrigin\b/, path)
    }
  }
})

test('a page that one node of a cluster served may use the others', async (t) => {
  const cluster = await startCluster(t, 2)
  const [a, b] = cluster.nodes
  for (const [node, other] of [[a, b], [b, a]]) {
    const headers = [['Host', `127.0.0.1:${node.port}`], ['Origin', other.api]]
    const response = await node.request('GET', '/v1/node', { headers })
    assert.equal(response.status, 200, response.text)
    assert.equal(response.headers.get('access-control-allow-origin'), other.api)
    const secure = other.api.replace('http', 'https') // another origin: the member does not speak it
    for (const origin of [`${other.api}.evil.example`, `${other.api}/`, `${other.api}1`, secure]) {
      const evil = [headers[0], ['Origin', origin]]
      assertProblem(await node.request('GET', '/v1/node', { headers: evil }),
        { status: 403, code: 'wrong_origin', field: 'Origin' })
    }
  }
})

// ---- tickets ----

const ticketOf = async (node, json = {}, id = 'web') => {
  const response = await node.as(id, 'POST', '/v1/tickets', { json })
  assert.equal(response.status, 201, response.text)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.json.ttl_ms, 30000)
  const left = Date.parse(response.json.expires_at) - Date.now()
  assert.ok(left > 0 && left <= 31000, response.json.expires_at)
  assert.match(response.json.ticket, /^tk_[A-Za-z0-9_-]{43}$/)
  return response.json.ticket
}

const byTicket = async (node, ticket) =>
  upgrade(await node.connect(), { protocols: ['troupe.v1.json', `troupe.ticket.${ticket}`] })

test('a ticket opens one WebSocket or one stream, once, and is never told back', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', subject: 'w', grants: ['read', 'spawn'] }])
  const first = await ticketOf(node)
  const { response, client } = await byTicket(node, first)
  assert.equal(client.protocol, 'troupe.v1.json')
  assert.ok(!JSON.stringify([...response.headers]).includes(first))
  await client.spawn('counter', { name: 'hits' })
  await client.close()
  const again = await byTicket(node, first)
  const field = 'Sec-WebSocket-Protocol'
  assertProblem(again.response, { status: 401, code: 'unauthorized', field, detail: /tickets/ })
  assert.ok(!again.response.text.includes(first))

  const second = await ticketOf(node)
  const stream = await openEvents(node, `/v1/actors/@hits/events?ticket=${second}`)
  stream.close()
  for (const target of [`/v1/actors/@hits/events?ticket=${second}`, '/v1/events?ticket=tk_x', '/v1/events?ticket='])
    assertProblem((await askEvents(node, target)).response, { status: 401, code: 'unauthorized', field: 'ticket' })
})

test('a ticket is for WebSocket and streams only, and no ticket comes of a ticket', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'] }])
  const ticket = await ticketOf(node)
  for (const method of ['GET', 'POST']) {
    const path = method === 'GET' ? '/v1/node' : '/v1/tickets'
    const bearer = await node.request(method, path, { headers: [['Authorization', `Bearer ${ticket}`]] })
    assertProblem(bearer, { status: 401, code: 'unauthorized', field: 'Authorization' })
    assert.equal((await node.request(method, `${path}?ticket=${ticket}`)).status, 400)
  }
  assert.equal((await node.request('GET', `/metrics?ticket=${ticket}`)).status, 401)
  const { client } = await byTicket(node, ticket) // none of this has used it up
  await client.close()
})

test('a ticket may do less than its token, and never more', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['read:counter/*', 'spawn:counter/*'] }])
  const hits = { behavior: 'counter', name: 'hits' }
  assert.equal((await node.as('web', 'POST', '/v1/actors', { json: hits })).status, 201)
  for (const [grants, codes] of [
    [undefined, [undefined, undefined, 'forbidden']], [['*'], [undefined, undefined, 'forbidden']],
    [['read'], [undefined, 'forbidden', 'forbidden']], [['spawn', 'stop'], ['forbidden', undefined, 'forbidden']],
    [[], ['forbidden', 'forbidden', 'forbidden']],
  ]) {
    const { client } = await byTicket(node, await ticketOf(node, { grants }))
    const frames = [
      await client.request('monitor', { to: '@hits' }),
      await client.request('spawn', { behavior: 'counter' }),
      await client.request('stop', { to: '@hits' }),
    ]
    assert.deepEqual(frames.map((frame) => frame.code), codes, `${grants}`)
    await client.close()
  }
})

test('grants of a ticket that are none are told', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'] }])
  for (const [json, field] of [
    [{ grants: 'read' }, 'grants'], [{ grants: ['read', 'reed'] }, 'grants[1]'], [{ grants: [1] }, 'grants[0]'],
    [{ grants: Array(65).fill('read') }, 'grants[64]'], [{ grant: [] }, 'grant'],
  ]) {
    const response = await node.as('web', 'POST', '/v1/tickets', { json })
    assertProblem(response, { status: 422, code: 'schema', field })
  }
})

test('a node without tokens gives tickets too, and looks at none', async (t) => {
  const node = await start(t)
  node.as = (id, ...args) => node.request(...args)
  const { client } = await byTicket(node, await ticketOf(node))
  await client.close()
  assert.ok((await byTicket(node, 'tk_anything')).client)
})
