// SPDX-License-Identifier: Apache-2.0
//
// The REST API as it is meant to be used, on a real node. Every answer is held against /openapi.json; the last tests
// say which operations were never exercised and which answers are not documented.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'

import { Contract, WatchedClient } from './lib/contract.mjs'
import { askEvents } from './lib/events.mjs'
import { assertProblem } from './lib/problem.mjs'
import { parseMetrics } from './lib/prometheus.mjs'
import { validate } from './lib/schema.mjs'
import { requestBytes } from './lib/socket.mjs'
import { suite } from './lib/suite.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

let node
let contract
let client

before(async () => {
  node = await start(suite)
  contract = await Contract.of(node)
  client = new WatchedClient(node, contract)
  suite.after(() => client.close())
})

/** Spawn by the watched client; the actor's document. */
async function spawn(behavior, more = {}) {
  const response = await client.post('/v1/actors', { behavior, ...more })
  assert.equal(response.status, 201, response.text)
  return response.json
}

const call = (ref, type, json, query = '') => client.post(`/v1/actors/${ref}/call/${type}${query}`, json)
const cast = (ref, type, json) => client.post(`/v1/actors/${ref}/cast/${type}`, json)

async function valueOf(ref) {
  return (await call(ref, 'get')).json.value
}

// ---- spawn ----

test('the session of the README works', async () => {
  const form = [['Content-Type', 'application/x-www-form-urlencoded']] // what curl -d sends
  const spawned = await client.request('POST', '/v1/actors', {
    body: '{"behavior":"counter","name":"hits"}',
    headers: form,
  })
  assert.equal(spawned.status, 201, spawned.text)
  const added = await client.request('POST', '/v1/actors/@hits/call/add', { body: '{"by":2}', headers: form })
  assert.equal(added.text, '{"value":2}')
  assert.equal(added.type, 'application/json')
})

test('spawn gives 201, the actor and where it is', async () => {
  const response = await client.post('/v1/actors', { behavior: 'counter', args: { value: 40 } })
  assert.equal(response.status, 201)
  const actor = response.json
  assert.equal(response.headers.get('location'), `/v1/actors/${actor.ref}`)
  assert.equal(actor.behavior, 'counter')
  assert.equal(actor.name, null)
  assert.equal(actor.state, 'running')
  assert.equal(actor.node, node.ready.node)
  assert.ok(actor.ref.startsWith(`${node.ready.node}.`))
  assert.equal((await client.get(response.headers.get('location'))).json.ref, actor.ref)
  assert.deepEqual((await call(actor.ref, 'add', { by: 2 })).json, { value: 42 })
})

test('if_exists return gives the holder, or makes it', async () => {
  const ask = () => client.post('/v1/actors', { behavior: 'counter', name: 'once', if_exists: 'return' })
  const made = await ask()
  const found = await ask()
  assert.deepEqual([made.status, found.status], [201, 200])
  assert.equal(found.json.ref, made.json.ref)
})

test('if_exists return by many at once makes one', async () => {
  const connections = await Promise.all(Array.from({ length: 16 }, () => node.connect()))
  const body = JSON.stringify({ behavior: 'counter', name: 'race', if_exists: 'return' })
  const responses = await Promise.all(connections.map((one) => one.request('POST', '/v1/actors', { body })))
  assert.equal(responses.filter((one) => one.status === 201).length, 1)
  assert.equal(responses.filter((one) => one.status === 200).length, 15)
  assert.equal(new Set(responses.map((one) => one.json.ref)).size, 1)
  for (const connection of connections) connection.close()
})

test('names are UTF-8 and may hold a slash, escaped', async () => {
  for (const name of ['naïve/ключ 鍵', 'a%2Fb', '100%', 'x'.repeat(255), '?#&=+']) {
    const { ref } = await spawn('counter', { name })
    const path = `/v1/actors/@${encodeURIComponent(name)}`
    assert.equal((await client.get(path)).json.name, name)
    assert.equal((await client.get(`/v1/names/${encodeURIComponent(name)}`)).json.ref, ref)
  }
})

// ---- look ----

test('info tells state, mailbox, counters and relations', async () => {
  const { ref } = await spawn('faulty', { name: 'parent', mailbox: { messages: 7, policy: 'drop_oldest' } })
  const child = (await call('@parent', 'child', { behavior: 'counter', link: true })).json.ref
  const info = (await client.get(`/v1/actors/${ref}`)).json
  assert.equal(info.name, 'parent')
  assert.equal(info.mailbox.messages_max, 7)
  assert.equal(info.mailbox.policy, 'drop_oldest')
  assert.equal(info.mailbox.depth, 0)
  assert.equal(info.processed, 1)
  assert.deepEqual(info.children, [child])
  assert.deepEqual(info.links, [child])
  const childInfo = (await client.get(`/v1/actors/${child}`)).json
  assert.equal(childInfo.parent, ref)
  assert.ok(Math.abs(Date.parse(info.started_at) + info.uptime_ms - Date.now()) < 60_000)
})

test('a list of 250 actors is whole, in pages, by filter', async () => {
  const refs = new Set()
  for (let i = 0; i < 250; i++) refs.add((await spawn('echo', { name: `many-${i}` })).ref)

  const pages = []
  let target = '/v1/actors?behavior=echo&limit=100'
  while (target) {
    const response = await client.get(target)
    const { items, next } = response.json
    pages.push(items)
    assert.ok(items.length <= 100)
    assert.equal(response.headers.has('link'), next !== null)
    target = next === null ? null : /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link'))[1]
    if (next !== null) assert.ok(target.includes('behavior=echo') && target.includes('limit=100'))
  }
  const listed = pages.flat().map((actor) => actor.ref)
  assert.ok(pages.length >= 3)
  assert.equal(new Set(listed).size, listed.length, 'an actor is listed twice')
  for (const ref of refs) assert.ok(listed.includes(ref))
  assert.ok(pages.flat().every((actor) => actor.behavior === 'echo'))

  const one = (await client.get('/v1/actors?name=many-7')).json
  assert.deepEqual(
    one.items.map((actor) => actor.name),
    ['many-7'],
  )
  const none = (await client.get('/v1/actors?behavior=echo&state=draining')).json
  assert.deepEqual(none, { items: [], next: null })
  const all = (await client.get('/v1/actors?limit=1000')).json
  assert.ok(all.items.length > 250)
  assert.equal((await client.get(`/v1/actors?node=${node.ready.node}&limit=1`)).json.items.length, 1)
  assert.equal((await client.get('/v1/actors?node=n.0000000000001')).json.items.length, 0)
})

test('a list goes on where it was although actors end between two pages', async () => {
  const made = []
  for (let i = 0; i < 20; i++) made.push((await spawn('kv')).ref)
  const first = (await client.get('/v1/actors?behavior=kv&limit=10')).json
  for (const actor of first.items) await client.delete(`/v1/actors/${actor.ref}`)
  const second = (await client.get(`/v1/actors?behavior=kv&limit=100&cursor=${first.next}`)).json
  assert.deepEqual([...first.items, ...second.items].map((actor) => actor.ref).sort(), made.sort())
})

test('names can be listed and looked up', async () => {
  const { ref } = await spawn('echo', { name: 'findable' })
  const found = (await client.get('/v1/names/findable')).json
  assert.equal(found.ref, ref)
  assert.equal(found.name, 'findable')
  const listed = []
  for (let next = ''; next !== null;) {
    const page = (await client.get(`/v1/names?limit=100${next && `&cursor=${next}`}`)).json
    listed.push(...page.items)
    next = page.next
  }
  assert.ok(listed.some((one) => one.name === 'findable' && one.ref === ref))
  assert.equal(new Set(listed.map((one) => one.name)).size, listed.length)
})

// ---- stop ----

test('stop, drain and kill end an actor and free its name', async () => {
  for (const mode of ['stop', 'drain', 'kill']) {
    const { ref } = await spawn('counter', { name: 'mortal' })
    const response = await client.delete(`/v1/actors/@mortal?mode=${mode}&reason=test`)
    assert.equal(response.status, 204, response.text)
    assertProblem(await client.get(`/v1/actors/${ref}`), { status: 410, code: 'gone', field: 'ref' })
    assert.equal((await client.get('/v1/names/mortal')).status, 404)
  }
})

test('drain finishes what was accepted, then refuses', async () => {
  const { ref: sink } = await spawn('counter', { name: 'sink' })
  await spawn('relay', { name: 'pipe', args: { to: '@sink' } })
  const batch = { body: '{"by":1}\n'.repeat(200), headers: [['Content-Type', 'application/x-ndjson']] }
  assert.deepEqual((await client.request('POST', '/v1/actors/@pipe/cast/add', batch)).json, { accepted: 200 })
  assert.equal((await client.delete('/v1/actors/@pipe?mode=drain')).status, 204)
  assert.equal(await valueOf(sink), 200)
})

test('a drain that outlasts its timeout is 202, and goes on', async () => {
  const { ref } = await spawn('faulty')
  const waiting = await node.connect() // a drain waits for calls that were taken and not answered
  waiting.send(requestBytes('POST', `/v1/actors/${ref}/call/late?timeout=1m`, { body: '{"ms":700}' }))
  await eventually(async () => (await client.get(`/v1/actors/${ref}`)).json.kept_calls === 1, 'the call is taken')
  assert.equal((await client.delete(`/v1/actors/${ref}?mode=drain&timeout=1ms`)).status, 202)
  assert.equal((await client.get(`/v1/actors/${ref}`)).json.state, 'draining')
  assertProblem(await call(ref, 'noop', {}), { status: 503, code: 'draining', retry: 'yes', outcome: 'not_done' })
  assert.equal((await waiting.response('POST')).status, 200)
  await eventually(async () => (await client.get(`/v1/actors/${ref}`)).status === 410, 'the actor ends')
  waiting.close()
})

test('an actor that fails is gone, and its children are too', async () => {
  const { ref } = await spawn('faulty')
  const child = (await call(ref, 'child', { behavior: 'counter' })).json.ref
  assert.equal((await call(ref, 'fail', { detail: 'x' })).status, 500)
  for (const one of [ref, child]) {
    await eventually(async () => (await client.get(`/v1/actors/${one}`)).status === 410, 'the end of a family')
  }
})

// ---- cast and call ----

test('a cast is 202, and a later call comes after it', async () => {
  const { ref } = await spawn('counter')
  for (let i = 0; i < 50; i++) {
    const response = await cast(ref, 'add', { by: 1 })
    assert.equal(response.status, 202)
    assert.deepEqual(response.json, { accepted: 1 })
  }
  assert.equal(await valueOf(ref), 50)
})

test('casts of one connection come before calls of another, once accepted', async () => {
  const { ref } = await spawn('counter')
  const other = await node.connect()
  for (let i = 1; i <= 50; i++) {
    assert.equal((await cast(ref, 'add', { by: 1 })).status, 202)
    assert.deepEqual((await other.request('POST', `/v1/actors/${ref}/call/get`)).json, { value: i })
  }
  other.close()
})

test('a batch is one body a line; blank lines and a missing last line end do not count', async () => {
  const { ref } = await spawn('counter')
  const headers = [['Content-Type', 'application/x-ndjson; charset=utf-8']]
  const response = await client.request('POST', `/v1/actors/${ref}/cast/add`, {
    headers,
    body: '{"by":1}\r\n\n{"by":10}\n   \n{"by":100}',
  })
  assert.equal(response.status, 202)
  assert.deepEqual(response.json, { accepted: 3 })
  assert.equal(await valueOf(ref), 111)
})

test('bodies pass through untouched, with their content type', async () => {
  const { ref } = await spawn('echo')
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  for (const [type, body] of [
    ['application/octet-stream', every],
    ['text/plain; charset=iso-8859-1', Buffer.from('na\xefve', 'latin1')],
    ['application/json', Buffer.from(' { "a" : 1.50 , "a" : 2 } ')],
    ['application/cbor', Buffer.alloc(300_000, 7)],
  ]) {
    const response = await client.request('POST', `/v1/actors/${ref}/call/echo`, {
      body,
      headers: [['Content-Type', type]],
    })
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), type)
    assert.ok(response.content.equals(body), type)
  }
})

test('a reply of a type that a client chose is nothing that a browser would run', async () => {
  const { ref } = await spawn('echo')
  const response = await client.request('POST', `/v1/actors/${ref}/call/echo`, {
    body: '<script>alert(1)</script>',
    headers: [['Content-Type', 'text/html']],
  })
  assert.equal(response.headers.get('content-type'), 'text/html')
  assert.match(response.headers.get('content-security-policy'), /^sandbox;/)
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
})

test('a chunked body arrives whole', async () => {
  const { ref } = await spawn('echo')
  const chunks = ['"a', 'bc'.repeat(5000), '"'].map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')
  const connection = await node.connect()
  connection.send(requestBytes('POST', `/v1/actors/${ref}/call/echo`, { headers: [['Transfer-Encoding', 'chunked']] }))
  for (const byte of chunks.slice(0, 10)) connection.send(byte)
  connection.send(`${chunks.slice(10)}0\r\n\r\n`)
  assert.equal((await connection.response('POST')).text, `"a${'bc'.repeat(5000)}"`)
  connection.close()
})

test('a large reply arrives whole', async () => {
  const { ref } = await spawn('faulty')
  const response = await call(ref, 'big', { bytes: 900_000 })
  assert.equal(response.status, 200)
  assert.equal(response.type, 'text/plain')
  assert.equal(response.content.length, 900_000)
})

test('requests in one packet are answered in order', async () => {
  const { ref } = await spawn('counter')
  const connection = await node.connect()
  const one = requestBytes('POST', `/v1/actors/${ref}/call/add`, { body: '{"by":1}' })
  connection.send(Buffer.concat(Array.from({ length: 20 }, () => one)))
  for (let i = 1; i <= 20; i++) assert.deepEqual((await connection.response('POST')).json, { value: i })
  connection.close()
})

test('GET calls a type that only reads', async () => {
  const { ref } = await spawn('counter', { args: { value: 9 } })
  assert.deepEqual((await client.get(`/v1/actors/${ref}/call/get`)).json, { value: 9 })
})

test('a late reply arrives, and the connection serves on', async () => {
  const { ref } = await spawn('faulty')
  assert.equal((await call(ref, 'late', { ms: 30 })).status, 200)
  assert.equal((await call(ref, 'late', { ms: 1 })).status, 200)
})

test('a call waits no longer than its timeout, and the connection serves on', async () => {
  const { ref } = await spawn('faulty')
  assertProblem(await call(ref, 'never', {}, '?timeout=20ms'), { status: 504, code: 'timeout' })
  assertProblem(await call(ref, 'late', { ms: 60_000 }, '?timeout=20ms'), { status: 504, code: 'timeout' })
  assert.equal((await call(ref, 'late', { ms: 1 }, '?timeout=10m')).status, 200)
})

test('the standard behaviors work together', async () => {
  await spawn('kv', { name: 'store' })
  assert.equal((await call('@store', 'put', { key: 'a', value: { deep: [1, 2] } })).status, 200)
  assert.deepEqual((await call('@store', 'get', { key: 'a' })).json.value, { deep: [1, 2] })
  await spawn('counter', { name: 'ticked' })
  const { ref } = await spawn('ticker', {
    args: { to: '@ticked', type: 'add', body: { by: 5 }, period_ms: 1, count: 3 },
  })
  await eventually(async () => (await client.get(`/v1/actors/${ref}`)).status === 410, 'the ticker ends itself')
  assert.equal(await valueOf('@ticked'), 15)
})

// ---- the node ----

test('behaviors tell their contract, with schemas that are valid', async () => {
  const { items } = (await client.get('/v1/behaviors')).json
  const names = ['counter', 'door', 'echo', 'faulty', 'kv', 'pool', 'relay', 'supervisor', 'ticker', 'topic', 'webhook']
  assert.deepEqual(items.map((one) => one.name).sort(), names)
  for (const { name } of items) {
    const behavior = (await client.get(`/v1/behaviors/${name}`)).json
    assert.equal(behavior.name, name)
    assert.match(behavior.version, /^\d+\.\d+\.\d+$/)
    for (const type of behavior.types) {
      for (const schema of [type.body_schema, type.reply_schema]) {
        if (schema) validate(schema, {}) // throws when the schema is none
      }
    }
  }
})

test('a reply fits the schema that its behavior declares', async () => {
  const { types } = (await client.get('/v1/behaviors/counter')).json
  const { ref } = await spawn('counter')
  for (const type of types) {
    assert.deepEqual(validate(type.reply_schema, (await call(ref, type.name, {})).json), [])
  }
})

test('the node says who and where it is', async () => {
  const mine = (await client.get('/v1/node')).json
  assert.equal(mine.node, node.ready.node)
  assert.equal(mine.cluster, node.ready.cluster)
  assert.equal(mine.api, node.api)
  assert.equal(mine.pid, node.pid)
  assert.ok(mine.workers >= 1)
  assert.ok(mine.stats.actors >= 250)
  assert.ok(mine.uptime_ms >= 0)
  const later = (await client.get('/v1/node')).json
  assert.ok(later.uptime_ms >= mine.uptime_ms)
  assert.ok(later.stats.messages >= mine.stats.messages)
  assert.equal((await client.get('/version')).json.version, mine.version)
})

test('the document of the API is served, and it is OpenAPI 3.1', async () => {
  const document = (await client.get('/openapi.json')).json
  assert.match(document.openapi, /^3\.1\./)
  assert.equal(document.servers[0].url, node.api)
})

test('health is green, and livez answers on its own', async () => {
  for (const target of ['/livez', '/readyz', '/healthz']) assert.equal((await client.get(target)).status, 200, target)
})

test('metrics are Prometheus text and count what happens', async () => {
  const read = async () => parseMetrics((await client.get('/metrics')).text)
  const before_ = await read()
  for (const family of before_.values()) {
    assert.match(family.name, /^troupe_[a-z0-9_]+$/)
    assert.ok(family.help.length > 0, `${family.name} has no HELP`)
    if (family.type === 'counter') assert.match(family.name, /_total$/)
    if (/_(time|uptime|duration)(_|$)/.test(family.name)) assert.match(family.name, /_seconds/)
  }
  assert.match((await client.get('/metrics')).headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const { ref } = await spawn('counter')
  for (let i = 0; i < 10; i++) await call(ref, 'get')
  const after_ = await read()
  const value = (families, name) => families.get(name).samples.reduce((sum, sample) => sum + sample.value, 0)
  assert.equal(value(after_, 'troupe_actors') - value(before_, 'troupe_actors'), 1)
  assert.ok(value(after_, 'troupe_messages_total') - value(before_, 'troupe_messages_total') >= 10)
})

test('HEAD is GET without the body', async () => {
  for (const target of ['/version', '/v1/behaviors', '/', '/openapi.json']) {
    const head = await node.request('HEAD', target)
    const get = await node.request('GET', target)
    assert.equal(head.status, 200)
    assert.equal(head.headers.get('content-type'), get.headers.get('content-type'))
    assert.equal(head.headers.get('content-length'), get.headers.get('content-length'))
  }
})

test('OPTIONS tells the methods of a path, and of the node', async () => {
  const response = await client.request('OPTIONS', '/v1/actors')
  assert.equal(response.status, 204)
  assert.deepEqual(response.headers.get('allow').split(', ').sort(), ['GET', 'HEAD', 'OPTIONS', 'POST'])
  assert.equal((await client.request('OPTIONS', '*')).status, 204)
})

test('the page is served with a strict policy, packed on request, and not again when unchanged', async () => {
  const page = await client.get('/')
  assert.equal(page.status, 200)
  assert.equal(page.type, 'text/html')
  assert.match(page.text, /<title>Troupe<\/title>/)
  assert.match(page.headers.get('content-security-policy'), /default-src '(self|none)'/)
  assert.doesNotMatch(page.headers.get('content-security-policy'), /unsafe/)
  for (const [, file] of page.text.matchAll(/(?:src|href)="([a-z]+\.(?:css|js|svg))"/g)) {
    const response = await node.request('GET', `/${file}`)
    assert.equal(response.status, 200, file)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    const again = await node.request('GET', `/${file}`, { headers: [['If-None-Match', response.headers.get('etag')]] })
    assert.equal(again.status, 304)
    const packed = await node.request('GET', `/${file}`, { headers: [['Accept-Encoding', 'gzip']] })
    assert.equal(packed.headers.get('content-encoding'), 'gzip')
    assert.ok(packed.content.length < response.content.length)
  }
})

test('a node without tokens gives tickets too', async () => {
  const response = await client.post('/v1/tickets', {})
  assert.equal(response.status, 201)
  assert.match(response.json.ticket, /^tk_[A-Za-z0-9_-]{43}$/)
})

test('the nodes of the cluster are listed, and each can be looked at', async () => {
  const list = (await client.get('/v1/nodes')).json.items
  assert.deepEqual(list.map((one) => [one.node, one.state]), [[node.ready.node, 'up']])
  assert.deepEqual((await client.get(`/v1/nodes/${node.ready.node}`)).json, list[0])
})

test('event streams and the document of sessions are served', async () => {
  const { ref } = await spawn('topic')
  for (const target of ['/v1/events', `/v1/actors/${ref}/events`]) {
    const { response, stream } = await askEvents(node, target)
    contract.see('GET', target, response)
    stream.close()
  }
  assert.equal((await client.get('/asyncapi.json')).json.asyncapi, '3.0.0')
})

test('the API moves to another port, and a node that is asked to drain ends', async () => {
  const other = await start(suite)
  const moving = new WatchedClient(other, contract)
  assert.equal((await moving.post('/v1/node/relisten', { purpose: 'api' })).status, 202)
  moving.close()
  const { api } = await eventually(async () => {
    const told = JSON.parse(readFileSync(other.portsFile, 'utf8'))
    return told.api !== other.api && told
  }, 'the ports file tells the new port')
  other.port = Number(new URL(api).port)
  assert.equal((await moving.post(`/v1/nodes/${other.ready.node}/drain`)).status, 202)
  moving.close()
  assert.equal((await other.exited).code, 0)
})

// ---- code and document agree ----

test('every operation of the document was exercised', () => {
  assert.ok(contract.operations.length > 10)
  const elsewhere = [
    / \/v1\/registry/, // registry.test.mjs has those
    / \/v1\/(groups|scopes)/, // groups.test.mjs
    /\/(state|suspend|resume|trace|timers|timers\/\{timer\}|events\/dead)$/, // inspect.test.mjs
  ]
  const missing = contract.unexercised.filter((one) => !elsewhere.some((pattern) => pattern.test(one)))
  assert.deepEqual(missing, [])
})

test('every answer is documented', () => {
  assert.deepEqual(contract.faults, [])
})

test('a difference between code and document is found', async () => {
  const document = () => node.request('GET', '/openapi.json').then((response) => response.json)
  const answer = await node.request('GET', '/v1/node')
  const faultsWith = async (plant) => {
    const planted = await document()
    plant(planted)
    const judge = new Contract(planted)
    judge.see('GET', '/v1/node', answer)
    return judge.faults.length
  }
  assert.equal(await faultsWith(() => {}), 0)
  assert.equal(await faultsWith((planted) => delete planted.paths['/v1/node']), 1)
  assert.equal(await faultsWith((planted) => delete planted.paths['/v1/node'].get.responses['200']), 1)
  assert.equal(await faultsWith((planted) => (planted.components.schemas.Node.properties.pid.type = 'string')), 1)
  assert.equal(await faultsWith((planted) => planted.components.schemas.Node.required.push('colour')), 1)
})
