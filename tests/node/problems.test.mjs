// SPDX-License-Identifier: Apache-2.0
//
// Refusals: each is problem+json that names the field at fault and what to do instead, and each is documented.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { Contract, WatchedClient } from './lib/contract.mjs'
import { assertProblem } from './lib/problem.mjs'
import { requestBytes } from './lib/socket.mjs'
import { suite } from './lib/suite.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const BODY_MAX = 1 << 20

let node
let contract
let client

before(async () => {
  node = await start(suite, ['--allow-host', 'node.example', '--allow-origin', 'https://app.example'])
  contract = await Contract.of(node)
  client = new WatchedClient(node, contract)
  await node.spawn('counter', { name: 'taken' })
  await node.spawn('echo', { name: 'echo' })
  suite.after(() => client.close())
})

const spawn = (json) => client.post('/v1/actors', json)
const spawnText = (body, headers = []) => client.request('POST', '/v1/actors', { body, headers })

/** An actor that ended, and its reference. */
async function endedActor() {
  const { ref } = await node.spawn('echo')
  assert.equal((await client.delete(`/v1/actors/${ref}?mode=kill`)).status, 204)
  return ref
}

// ---- bodies ----

for (const [name, body] of [
  ['no JSON', 'hello'],
  ['half an object', '{"behavior":"echo"'],
  ['a comma too many', '{"behavior":"echo",}'],
  ['single quotes', "{'behavior':'echo'}"],
  ['two documents', '{"behavior":"echo"}{}'],
  ['a lone surrogate', '{"behavior":"\\ud800"}'],
  ['bytes that are not UTF-8', Buffer.from([...Buffer.from('{"behavior":"'), 0xff, ...Buffer.from('"}')])],
  ['nesting without end', '{"behavior":"echo","args":'.concat('['.repeat(100_000))],
]) {
  test(`malformed JSON is 400: ${name}`, async () => {
    assertProblem(await spawnText(body), {
      status: 400,
      code: 'malformed',
      detail: /JSON/,
      retry: 'no',
      outcome: 'not_done',
    })
  })
}

test('a message that is nested too deep is 400, not a limit that passes', async () => {
  const body = '['.repeat(100) + ']'.repeat(100)
  assertProblem(await client.request('POST', '/v1/actors/@taken/call/add', { body: `{"to":${body}}` }), {
    status: 400,
    code: 'malformed',
    detail: /nested deeper than 64 levels/,
    retry: 'no',
  })
})

test('an empty body says what to send', async () => {
  assertProblem(await spawnText(''), { status: 400, code: 'malformed', detail: /send a JSON object/ })
})

test('a body that is no object is 422', async () => {
  assertProblem(await spawnText('[1]'), { status: 422, code: 'schema', detail: /object/ })
})

test('an unknown field is named, and so are the fields there are', async () => {
  const response = await spawn({ behavior: 'echo', behaviour: 'echo' })
  assertProblem(response, { status: 422, code: 'schema', field: 'behaviour', detail: /behavior, name/ })
})

test('a field that comes twice', async () => {
  assertProblem(await spawnText('{"behavior":"echo","behavior":"counter"}'), {
    status: 422,
    code: 'schema',
    field: 'behavior',
  })
})

test('a missing field', async () => {
  assertProblem(await spawn({ name: 'x' }), { status: 422, code: 'schema', field: 'behavior', detail: /required/ })
})

for (const [field, json] of [
  ['behavior', { behavior: 7 }],
  ['name', { behavior: 'echo', name: ['a'] }],
  ['name', { behavior: 'echo', name: 'x'.repeat(256) }],
  ['if_exists', { behavior: 'echo', if_exists: 'maybe' }],
  ['mailbox', { behavior: 'echo', mailbox: 3 }],
  ['mailbox.messages', { behavior: 'echo', mailbox: { messages: 0 } }],
  ['mailbox.messages', { behavior: 'echo', mailbox: { messages: 1.5 } }],
  ['mailbox.policy', { behavior: 'echo', mailbox: { policy: 'forget' } }],
]) {
  test(`a wrong value of ${field}: ${JSON.stringify(json).slice(0, 60)}`, async () => {
    assertProblem(await spawn(json), { status: 422, code: 'schema', field, detail: /must be/ })
  })
}

test('a body of another type is 415', async () => {
  const response = await spawnText('<actor/>', [['Content-Type', 'application/xml']])
  assertProblem(response, { status: 415, code: 'media_type', field: 'Content-Type', detail: /application\/json/ })
})

// ---- behaviors, names, references ----

test('an unknown behavior is 422', async () => {
  assertProblem(await spawn({ behavior: 'nonesuch' }), {
    status: 422,
    code: 'unknown_behavior',
    field: 'behavior',
    detail: /\/v1\/behaviors/,
  })
})

test('an unknown behavior in a path is 404', async () => {
  assertProblem(await client.get('/v1/behaviors/nonesuch'), { status: 404, code: 'not_found', field: 'behavior' })
})

test('args that the behavior refuses are 4xx', async () => {
  const response = await spawn({ behavior: 'counter', args: { value: 'many' } })
  assert.ok(response.status >= 400 && response.status < 500, response.text)
})

test('a name that is taken is 409 and tells the holder', async () => {
  const { ref } = (await client.get('/v1/actors/@taken')).json
  const problem = assertProblem(await spawn({ behavior: 'counter', name: 'taken' }), {
    status: 409,
    code: 'name_taken',
    field: 'name',
    detail: /the name taken;.*if_exists/,
  })
  assert.equal(problem.actor, ref)
})

for (const name of ['.', '..', '\u0000', 'a\u0007b']) {
  test(`a name that cannot stand in a path: ${JSON.stringify(name)}`, async () => {
    const response = await spawn({ behavior: 'echo', name })
    assert.ok([400, 422].includes(response.status), response.text)
    assert.equal(response.json.field, 'name')
  })
}

test('a name that nobody has is 404', async () => {
  for (const target of ['/v1/actors/@nobody', '/v1/names/nobody']) {
    assertProblem(await client.get(target), {
      status: 404,
      code: 'not_found',
      field: target.includes('names') ? 'name' : 'ref',
    })
  }
  assertProblem(await client.post('/v1/actors/@nobody/call/get'), { status: 404, code: 'not_found', field: 'ref' })
})

for (const ref of [
  'hits',
  'n.1.2',
  'n.0000000000000.1.1.1',
  'N.4TQ8V1M02X7KC.3F.1',
  'n.4tq8v1m02x7kc.03.1',
  's.x.1.1',
]) {
  test(`what is no reference is 404: ${ref}`, async () => {
    assertProblem(await client.get(`/v1/actors/${ref}`), {
      status: 404,
      code: 'bad_reference',
      field: 'ref',
      detail: /@/,
    })
  })
}

test('a reference that this node never issued is 404', async () => {
  const home = node.ready.node
  assertProblem(await client.get(`/v1/actors/${home}.zzzz.1`), { status: 404, code: 'not_found', field: 'ref' })
})

test('an actor that ended is 410 on every route', async () => {
  const ref = await endedActor()
  const expected = { status: 410, code: 'gone', field: 'ref', retry: 'no', outcome: 'not_done' }
  assertProblem(await client.get(`/v1/actors/${ref}`), expected)
  assertProblem(await client.delete(`/v1/actors/${ref}`), expected)
  assertProblem(await client.post(`/v1/actors/${ref}/cast/echo`, {}), expected)
  assertProblem(await client.post(`/v1/actors/${ref}/call/echo`, {}), expected)
})

for (const [segment, why] of [
  ['%', 'half an escape'],
  ['%zz', 'no escape'],
  ['%00', 'NUL'],
  ['%0a', 'a control character'],
  ['%ff', 'not UTF-8'],
]) {
  test(`a path with ${why} is 400`, async () => {
    assertProblem(await client.get(`/v1/actors/@${segment}`), {
      status: 400,
      code: 'invalid',
      field: 'path',
      detail: /%XX/,
    })
  })
}

// ---- messages ----

test('a type that the behavior does not take is 422', async () => {
  assertProblem(await client.post('/v1/actors/@taken/call/subtract', {}), {
    status: 422,
    code: 'unknown_type',
    field: 'type',
    detail: /behavior counter .* type subtract.*\/v1\/behaviors\/counter/,
  })
  assertProblem(await client.post('/v1/actors/@taken/cast/subtract', {}), {
    status: 422,
    code: 'unknown_type',
    field: 'type',
    detail: /behavior counter .* type subtract.*\/v1\/behaviors\/counter/,
  })
})

test('a type that is too long is refused with the rule', async () => {
  for (const verb of ['call', 'cast']) {
    assert.notEqual((await client.post(`/v1/actors/@echo/${verb}/${'x'.repeat(64)}`, {})).status, 400)
    assertProblem(await client.post(`/v1/actors/@echo/${verb}/${'x'.repeat(65)}`, {}), {
      status: 400,
      code: 'invalid',
      field: 'type',
      detail: /1 to 64 of/,
    })
  }
})

test('a type that only begins as that of a batch is none', async () => {
  const cast = (type) =>
    client.request('POST', '/v1/actors/@echo/cast/echo', { body: '1\n2\n', headers: [['Content-Type', type]] })
  assert.deepEqual((await cast('application/x-ndjson')).json, { accepted: 2 })
  assert.deepEqual((await cast('application/x-ndjsonx')).json, { accepted: 1 })
})

test('a type with characters that no type has is refused', async () => {
  const response = await client.post('/v1/actors/@echo/call/a%20b', {})
  assert.ok([400, 422].includes(response.status), response.text)
  assert.equal(response.json.field, 'type')
})

test('a call by GET of a type that changes something is 405', async () => {
  const response = await client.get('/v1/actors/@taken/call/add')
  assertProblem(response, { status: 405, code: 'method_not_allowed', detail: /POST/ })
  assert.match(response.headers.get('allow'), /POST/)
})

test('an application error has its own code and status', async () => {
  await node.spawn('faulty', { name: 'app' })
  const bare = await client.post('/v1/actors/@app/call/app_error', { code: 'teapot', status: 418 })
  assertProblem(bare, { status: 418, code: 'app.teapot' })
  const json = { code: 'teapot', status: 418, detail: 'short and stout' }
  assertProblem(await client.post('/v1/actors/@app/call/app_error', json), {
    status: 418,
    code: 'app.teapot',
    detail: /stout/,
  })
})

test('a behavior that refuses its body says which field', async () => {
  const response = await client.post('/v1/actors/@taken/call/add', { by: 'two' })
  assert.ok([400, 422].includes(response.status), response.text)
  assert.equal(response.type, 'application/problem+json')
})

test('an actor that fails while it handles a call is 500 with outcome unknown', async () => {
  await node.spawn('faulty', { name: 'fails' })
  const response = await client.post('/v1/actors/@fails/call/fail', { detail: 'on purpose' })
  assertProblem(response, { status: 500, code: 'actor_failed', detail: /on purpose/, outcome: 'unknown' })
})

test('a turn that ends without a reply is answered at once', async () => {
  await node.spawn('faulty', { name: 'mute' })
  assertProblem(await client.post('/v1/actors/@mute/call/no_reply?timeout=10m', {}), {
    status: 500,
    code: 'no_reply',
    outcome: 'unknown',
  })
})

test('a call that nobody answers is 504 after its timeout', async () => {
  await node.spawn('faulty', { name: 'silent' })
  const started = process.hrtime.bigint()
  const response = await client.post('/v1/actors/@silent/call/never?timeout=50ms', {})
  const tookMs = Number(process.hrtime.bigint() - started) / 1e6
  assertProblem(response, { status: 504, code: 'timeout', outcome: 'unknown', retry: 'if_idempotent' })
  assert.ok(tookMs >= 50, `after ${tookMs} ms`)
})

test('an idle node keeps a deadline', async (t) => {
  const idle = await start(t, ['--workers', '1', '--drain-timeout', '100ms'])
  await idle.spawn('faulty', { name: 'silent' })
  const connection = await idle.connect()
  for (let i = 0; i < 5; i++) {
    connection.send(requestBytes('POST', '/v1/actors/@silent/call/never?timeout=50ms', { body: '{}' }))
    assertProblem(await connection.response('POST', 2000), { status: 504, code: 'timeout', retry: 'if_idempotent' })
  }
  connection.close()
})

test('a call whose time is over is not handled', async (t) => {
  const busy = await start(t, ['--workers', '2'])
  const callers = [await busy.connect(), await busy.connect()]
  let late = 0
  for (let round = 0; late < 3; round++) {
    assert.ok(round < 100, 'no call was late')
    const { ref } = await busy.spawn('faulty')
    const ask = (caller, verb, json) =>
      caller.request('POST', `/v1/actors/${ref}/${verb}`, { body: JSON.stringify(json) })
    assert.equal((await ask(callers[round % 2], 'cast/spin', { us: 200_000 })).status, 202)
    const { status } = await ask(callers[(round + 1) % 2], 'call/fail?timeout=20ms', {})
    if (status === 500) continue // the worker of this caller ran the turn, so the call was only made behind it
    assert.equal(status, 504)
    late++
    assert.equal((await ask(callers[0], 'call/spin', { us: 1 })).status, 200, 'the actor never came to fail')
  }
  for (const caller of callers) caller.close()
})

test('an actor killed while a call waits answers it', async () => {
  await node.spawn('faulty', { name: 'doomed' })
  const waiting = await node.connect()
  waiting.send(requestBytes('POST', '/v1/actors/@doomed/call/never?timeout=10m', { body: '{}' }))
  await eventually(
    async () => (await client.get('/v1/actors/@doomed')).json.processed === 1,
    'the call is with the actor',
  )
  assert.equal((await client.delete('/v1/actors/@doomed?mode=kill')).status, 204)
  assertProblem(await waiting.response('POST'), { status: 500, code: 'actor_killed', outcome: 'unknown' })
  waiting.close()
})

test('a full mailbox is 429 with Retry-After, and a batch tells how many were taken', async () => {
  // Each message keeps the actor busy for longer than the batch takes to arrive.
  await node.spawn('faulty', { name: 'busy', mailbox: { messages: 2 } })
  const batch = await client.request('POST', '/v1/actors/@busy/cast/spin', {
    body: '{"us":50000}\n'.repeat(50),
    headers: [['Content-Type', 'application/x-ndjson']],
  })
  // A part of it is done: as it is, it must not be sent again.
  const expected = { status: 429, code: 'mailbox_full', retry: 'if_idempotent', outcome: 'unknown' }
  const problem = assertProblem(batch, expected)
  assert.ok(problem.accepted >= 2 && problem.accepted < 10, `${problem.accepted} of 50`)
})

// ---- sizes ----

const bigBody = `"${'x'.repeat(BODY_MAX)}"`

const tooLarge = { status: 413, code: 'too_large', field: 'body', detail: /1048576 bytes.*--body-max/ }
const echoCall = '/v1/actors/@echo/call/echo'

test('a body over the limit is 413 before it is sent, to a client that asks', async () => {
  const connection = await node.connect()
  const headers = [
    ['Content-Length', BODY_MAX + 1],
    ['Expect', '100-continue'],
  ]
  const response = await connection.send(requestBytes('POST', echoCall, { headers })).response('POST')
  assertProblem(response, tooLarge)
  contract.see('POST', echoCall, response)
  await connection.untilClosed()
  connection.close()
})

test('a client that asks is told to continue', async () => {
  const connection = await node.connect()
  connection.send(
    requestBytes('POST', echoCall, {
      headers: [
        ['Content-Length', 4],
        ['Expect', '100-continue'],
      ],
    }),
  )
  await connection.receive('HTTP/1.1 100 Continue\r\n\r\n')
  assert.equal((await connection.send('"ab"').response('POST')).text, '"ab"')
  connection.close()
})

test('a body over the limit is 413 when it is sent nevertheless', async () => {
  assertProblem(await client.request('POST', echoCall, { body: bigBody }), tooLarge)
})

const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 'x'), Buffer.from('\r\n')])

test('a chunked body over the limit is 413', async () => {
  const connection = await node.connect()
  connection.send(requestBytes('POST', echoCall, { headers: [['Transfer-Encoding', 'chunked']] }))
  for (let i = 0; i < 20; i++) connection.send(chunk)
  assertProblem(await connection.send('0\r\n\r\n').response('POST'), tooLarge)
  connection.close()
})

test('a body without end is cut off', async () => {
  const connection = await node.connect()
  connection.send(requestBytes('POST', echoCall, { headers: [['Transfer-Encoding', 'chunked']] }))
  for (let i = 0; i < 2000 && !connection.isOver; i++) await connection.send(chunk).flushed()
  await connection.untilClosed()
  connection.close()
})

test('a body of exactly the limit is taken', async () => {
  const body = `"${'x'.repeat(BODY_MAX - 2)}"`
  const response = await client.request('POST', '/v1/actors/@echo/call/echo', { body })
  assert.equal(response.status, 200)
  assert.equal(response.text, body)
})

// ---- queries ----

for (const [target, field] of [
  ['/v1/actors?limit=0', 'limit'],
  ['/v1/actors?limit=1001', 'limit'],
  ['/v1/actors?limit=ten', 'limit'],
  ['/v1/actors?cursor=nonsense', 'cursor'],
  ['/v1/actors?state=asleep', 'state'],
  ['/v1/actors?colour=red', 'colour'],
  ['/v1/actors?limit=1&limit=2', 'query'],
  ['/v1/actors?name=%zz', 'query'],
  ['/v1/node?x=1', 'x'],
]) {
  test(`a bad query is 400: ${target}`, async () => {
    assertProblem(await client.get(target), { status: 400, code: 'invalid', field, retry: 'no' })
  })
}

for (const timeout of ['5', '-1s', '11m', 'soon', '0ms']) {
  test(`a timeout that is none is 400: ${timeout}`, async () => {
    assertProblem(await client.post(`/v1/actors/@echo/call/echo?timeout=${timeout}`, {}), {
      status: 400,
      code: 'invalid',
      field: 'timeout',
      detail: /\d/,
    })
  })
}

for (const [query, field] of [
  ['mode=murder', 'mode'],
  ['timeout=never', 'timeout'],
]) {
  test(`a bad parameter of DELETE is 400: ${query}`, async () => {
    assertProblem(await client.delete(`/v1/actors/@echo?${query}`), { status: 400, code: 'invalid', field })
  })
}

// ---- routes and methods ----

test('a path that leads nowhere is 404', async () => {
  for (const target of [
    '/v2/actors',
    '/v1',
    '/v1/actors/',
    '/v1/actors/@echo/shout/x',
    '/%76ersion',
    '//version',
    '/etc/passwd',
    '/../version',
  ]) {
    assertProblem(await client.get(target), { status: 404, code: 'no_route', detail: /openapi\.json/ })
  }
})

for (const [method, target, allow] of [
  ['PUT', '/v1/actors', 'GET, HEAD, POST, OPTIONS'],
  ['POST', '/v1/actors/@echo', 'GET, HEAD, DELETE, OPTIONS'],
  ['DELETE', '/version', 'GET, HEAD, OPTIONS'],
  ['PATCH', '/v1/actors/@echo/cast/x', 'POST, OPTIONS'],
  ['BREW', '/v1/node', 'GET, HEAD, OPTIONS'],
  ['POST', '/', 'GET, HEAD, OPTIONS'],
]) {
  test(`a wrong method is 405: ${method} ${target}`, async () => {
    const response = await client.request(method, target)
    assertProblem(response, { status: 405, code: 'method_not_allowed', detail: /GET|POST/ })
    assert.deepEqual(response.headers.get('allow').split(', ').sort(), allow.split(', ').sort())
  })
}

// ---- Host and Origin ----

for (const host of [
  'localhost',
  'localhost:99',
  '127.0.0.1',
  '[::1]:80',
  '10.0.0.1',
  'node.example',
  'NODE.example:8080',
]) {
  test(`Host ${host} is this node`, async () => {
    assert.equal((await client.get('/version', { host })).status, 200)
  })
}

for (const host of [
  'evil.example',
  'node.example.evil.example',
  'localhost.evil.example',
  'xnode.example',
  '127.0.0.1.evil.example',
  'localhost.',
]) {
  test(`Host ${host} is 421`, async () => {
    assertProblem(await client.get('/v1/node', { host }), {
      status: 421,
      code: 'wrong_host',
      field: 'Host',
      detail: /--allow-host/,
    })
  })
}

const withOrigin = (origin, more = []) => ({ headers: [['Origin', origin], ...more] })

for (const origin of [
  'null',
  'http://evil.example',
  'https://app.example.evil.example',
  'http://app.example',
  'https://app.example:8443',
  'https://xapp.example',
]) {
  test(`Origin ${origin} is 403`, async () => {
    const response = await client.get('/v1/node', withOrigin(origin))
    assertProblem(response, { status: 403, code: 'wrong_origin', field: 'Origin', detail: /--allow-origin/ })
    assert.equal(response.headers.get('access-control-allow-origin'), undefined)
  })
}

test("the node's own pages may use it", async () => {
  const host = `127.0.0.1:${node.port}`
  assert.equal((await client.get('/v1/node', { host, ...withOrigin(`http://${host}`) })).status, 200)
})

test('an allowed Origin gets CORS headers, also on refusals', async () => {
  for (const [target, status] of [
    ['/v1/node', 200],
    ['/v1/actors/@nobody', 404],
  ]) {
    const response = await client.get(target, withOrigin('https://app.example'))
    assert.equal(response.status, status)
    assert.equal(response.headers.get('access-control-allow-origin'), 'https://app.example')
    assert.match(response.headers.get('vary') ?? '', /Origin/i)
  }
})

const preflight = (origin) =>
  client.request(
    'OPTIONS',
    '/v1/actors',
    withOrigin(origin, [
      ['Access-Control-Request-Method', 'POST'],
      ['Access-Control-Request-Headers', 'content-type'],
    ]),
  )

test('a preflight of an allowed Origin is answered', async () => {
  const response = await preflight('https://app.example')
  assert.equal(response.status, 204)
  assert.equal(response.headers.get('access-control-allow-origin'), 'https://app.example')
  assert.match(response.headers.get('access-control-allow-methods'), /POST/)
  assert.match(response.headers.get('access-control-allow-headers'), /content-type/i)
  assert.match(response.headers.get('access-control-max-age'), /^\d+$/)
})

test('a preflight of another Origin is 403', async () => {
  assertProblem(await preflight('https://evil.example'), { status: 403, code: 'wrong_origin', field: 'Origin' })
})

// ---- and all of them ----

test('every refusal is documented', () => {
  assert.deepEqual(contract.faults, [])
})
