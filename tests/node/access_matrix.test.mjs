// SPDX-License-Identifier: Apache-2.0
//
// The matrix of authorization: every route of /openapi.json and every operation of /asyncapi.json, with a token of
// every scope, whose grant is for everything, for a pattern that covers what is asked, for one that does not, or not
// there at all. What must come out is computed from the table in docs/security.md, which knows nothing of the node's
// own.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { read, rowsOf, sectionOf } from '../docs/lib/markdown.mjs'
import { Contract } from './lib/contract.mjs'
import { assertProblem } from './lib/problem.mjs'
import { Connection, requestBytes } from './lib/socket.mjs'
import { suite } from './lib/suite.mjs'
import { startWithTokens } from './lib/tokens.mjs'
import { openWebSocket } from './lib/websocket.mjs'
import { withJson } from './lib/trouped.mjs'

const security = read('docs/security.md')
const asTable = (title) =>
  new Map(rowsOf(sectionOf(security, title)).map(([name, scope, target]) => [name, { scope, target }]))
const routes = asTable('Routes')
const operations = asTable('Operations of a session')

const scopes = ['read', 'message', 'spawn', 'stop', 'host', 'admin']

// What a grant says beyond its scope, and which targets it covers. What is asked for below is always the counter named
// mx-..., or everything.
const groups = ['group', 'member'] // a member: the group and the actor, for all types of messages
const forms = {
  all: { grant: (scope) => scope, covers: () => true },
  star: { grant: (scope) => `${scope}:*:*`, covers: () => true },
  behavior: { grant: (scope) => `${scope}:c*r/*`, covers: (target) => !['node', ...groups].includes(target) },
  name: { grant: (scope) => `${scope}:@mx-*`, covers: (target) => !['node', 'behavior', ...groups].includes(target) },
  group: { grant: (scope) => `${scope}:+mx-*`, covers: (target) => ['group', 'list'].includes(target) },
  other: { grant: (scope) => `${scope}:echo/*`, covers: (target) => target === 'list' },
  otherGroup: { grant: (scope) => `${scope}:+my-*`, covers: (target) => target === 'list' },
  otherName: { grant: (scope) => `${scope}:@my-*`, covers: (target) => target === 'list' },
}

const grants = new Map([['none', []], ['everything', ['*']]]) // by token
const rights = new Map([['none', []], ['everything', scopes.map((scope) => [scope, forms.all])]])
for (const scope of scopes) {
  for (const [name, form] of Object.entries(forms)) {
    grants.set(`${scope}-${name}`, [form.grant(scope)])
    rights.set(`${scope}-${name}`, [[scope, form]])
  }
}
for (const [name, type, covers] of [['type', 'g*t', true], ['otherType', 'add', false]]) {
  grants.set(`message-${name}`, [`message:counter/*:${type}`])
  rights.set(`message-${name}`, [['message', { covers: (target) => covers && !['node', ...groups].includes(target) }]])
}
const ids = [null, ...grants.keys()]

/** "allowed", "unauthorized" or "forbidden". */
function expected({ scope, target }, id) {
  if (scope === 'public') return 'allowed'
  if (scope === 'secret' || id === null) return 'unauthorized'
  if (scope === 'token') return 'allowed'
  return rights.get(id).some(([granted, form]) => granted === scope && form.covers(target)) ? 'allowed' : 'forbidden'
}

let node
let openapi
let asyncapi
let contract
let actors = 0

before(async () => {
  const rows = [...grants].map(([id, list]) => ({ id, grants: list }))
  node = await startWithTokens(suite, rows)
  openapi = (await node.request('GET', '/openapi.json')).json
  asyncapi = (await node.request('GET', '/asyncapi.json')).json
  contract = new Contract(openapi)
  await spawn('mx-0')
})

async function spawn(name) {
  const response = await node.as('everything', 'POST', '/v1/actors', { json: { behavior: 'counter', name } })
  assert.equal(response.status, 201, response.text)
  return response.json
}

/** A name of its own, and an actor that has it. */
async function freshActor() {
  const name = `mx-${++actors}`
  await spawn(name)
  return name
}

// How each route is asked, so that an allowed request does no harm. What is not here is asked without a body.
const samples = {
  'POST /v1/actors': async () => ({ json: { behavior: 'counter', name: `mx-${++actors}` } }),
  'DELETE /v1/actors/{ref}': async (id) => ({ ref: `@${id === null ? 'mx-0' : await freshActor()}` }),
  'POST /v1/actors/{ref}/suspend': async (id) => ({ ref: `@${id === null ? 'mx-0' : await freshActor()}` }),
  'PUT /v1/actors/{ref}/timers/{timer}': async () => ({ json: { type: 'get', after_ms: 3600000 } }),
  'POST /v1/node/relisten': async () => ({ json: {} }),
  'GET /v1/registry/identity': async () => ({ query: '?nonce=00112233445566778899aabbccddeeff' }),
}
const values = { ref: '@mx-0', group: 'mx-group', type: 'get', name: 'mx-0', behavior: 'counter', node: 'n.0000000000001', timer: 'beat' }

async function ask(name, id) {
  const [method, path] = name.split(' ')
  const { json, query = '', ...own } = (await samples[name]?.(id)) ?? {}
  const target = path.replace(/\{(\w+)\}/g, (_, word) => encodeURIComponent((own[word] ?? values[word])))
  const connection = await node.connect() // streams do not give theirs back, and the registry has its own
  const options = withJson({ json, headers: node.tokens.headers(id) })
  connection.send(requestBytes(method, target + query, options))
  const head = await connection.head()
  const response = head.type === 'text/event-stream' ? head : await connection.response(method)
  connection.close()
  if (name !== 'GET /v1/ws') contract.see(method, target, response)
  return response
}

function outcomeOf(response) {
  if (response.status !== 401 && response.status !== 403) return 'allowed'
  return { unauthorized: 'unauthorized', forbidden: 'forbidden' }[response.json.code] ?? response.json.code
}

test('the table of docs/security.md has every route of /openapi.json, and no other', () => {
  const served = Object.entries(openapi.paths).flatMap(([path, item]) => Object.entries(item)
    .filter(([method]) => /^(get|put|post|delete|patch)$/.test(method))
    .map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]))
  const accessOf = (operation) => [operation['x-troupe-scope'], operation['x-troupe-target'] ?? '']
  const described = served.map(([name, operation]) => [name, ...accessOf(operation)])
  described.push(['GET /v1/ws', 'token', 'node']) // no operation of REST
  const documented = [...routes].map(([name, { scope, target }]) => [name, scope, target])
  assert.deepEqual(documented.sort(), described.sort())
})

test('the table of docs/security.md has every operation of /asyncapi.json, and no other', () => {
  const received = Object.entries(asyncapi.operations).filter(([, operation]) => operation.action === 'receive')
  const described = received.map(([name, operation]) => [name, operation['x-troupe-scope']])
  assert.deepEqual([...operations].map(([name, { scope }]) => [name, scope]).sort(), described.sort())
})

test('the document says what a route answers to those who may not, and how to be one who may', () => {
  for (const [name, { scope, target }] of routes) {
    const [method, path] = name.split(' ')
    const operation = openapi.paths[path]?.[method.toLowerCase()]
    if (!operation) continue
    const statuses = Object.keys(operation.responses)
    if (scope === 'public') assert.deepEqual(operation.security, [], name)
    else if (scope === 'secret') assert.deepEqual(operation.security, [{ secret: [] }], name)
    else assert.ok(operation.security.some((way) => 'token' in way) && statuses.includes('401'), name)
    assert.ok(statuses.includes('403') && statuses.includes('429'), name)
    assert.equal(target === '' || target === operation['x-troupe-target'], true, name)
  }
  const known = Object.keys(openapi.components.securitySchemes).sort()
  assert.deepEqual(known, ['secret', 'ticket', 'token'])
})

for (const [name, row] of routes) {
  test(`${name}: ${row.scope}${row.target && `, ${row.target}`}`, async () => {
    const wrong = []
    const seen = new Set()
    for (const id of ids) {
      const response = await ask(name, id)
      const outcome = outcomeOf(response)
      seen.add(outcome)
      if (outcome !== expected(row, id)) wrong.push(`${id}: ${outcome} (${response.status}), not ${expected(row, id)}`)
      if (outcome === 'allowed') continue
      const isUnknown = outcome === 'unauthorized'
      const field = isUnknown ? 'Authorization' : undefined
      assertProblem(response, { status: isUnknown ? 401 : 403, code: outcome, field })
      const challenge = response.headers.get('www-authenticate')?.split(' ')[0]
      assert.equal(challenge, isUnknown ? (row.scope === 'secret' ? 'Troupe-HMAC' : 'Bearer') : undefined)
    }
    assert.deepEqual(wrong, [])
    const all = { public: ['allowed'], secret: ['unauthorized'], token: ['allowed', 'unauthorized'] }
    assert.deepEqual([...seen].sort(), all[row.scope] ?? ['allowed', 'forbidden', 'unauthorized'])
  })
}

test('every answer of all these is documented', () => {
  assert.deepEqual(contract.faults, [])
})

// ---- sessions ----

const frames = {
  hello: async () => ({}),
  call: async () => ({ to: '@mx-0', type: 'get' }),
  cast: async () => ({ to: '@mx-0', type: 'get' }),
  publish: async () => ({ to: '@mx-0', type: 'get' }),
  spawn: async () => ({ behavior: 'counter', name: `mx-${++actors}` }),
  stop: async () => ({ to: `@${await freshActor()}` }),
  monitor: async () => ({ to: '@mx-0' }),
  demonitor: async () => ({ monitor: 'none' }),
  subscribe: async () => ({ to: '@mx-0' }),
  unsubscribe: async () => ({ subscription: 'none' }),
  ping: async () => ({}),
}
const silent = { ack: { seq: 0 }, credit: { n: 1 }, bye: {} } // they have no answer

for (const id of ids.slice(1)) {
  test(`the operations of a session with the token ${id}`, async () => {
    const client = await openWebSocket(node, { headers: node.tokens.headers(id) })
    const wrong = []
    for (const [op, row] of operations) {
      if (op in silent) continue
      const frame = await client.request(op, await frames[op]())
      const outcome = frame.op === 'error' && frame.code === 'forbidden' ? 'forbidden' : 'allowed'
      if (outcome !== expected(row, id)) wrong.push(`${op}: ${JSON.stringify(frame)}, not ${expected(row, id)}`)
      if (outcome === 'forbidden') assert.equal(frame.status, 403)
    }
    assert.deepEqual(wrong, [])
    const cluster = await client.request('subscribe', { topic: 'cluster' })
    const mayRead = expected({ scope: 'read', target: 'node' }, id) === 'allowed'
    assert.equal(cluster.op !== 'error', mayRead, JSON.stringify(cluster))
    for (const [op, members] of Object.entries(silent)) client.send({ op, ...members })
    assert.equal((await client.untilClosed()).code, 1000)
  })
}
