// SPDX-License-Identifier: Apache-2.0
//
// Tokens on a real node: who is known, what is told to whom, reloads, limits, and what never leaves the node. The
// matrix of grants is in access_matrix.test.mjs, browsers are in access_browser.test.mjs.

import assert from 'node:assert/strict'
import { chmodSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'

import { openEvents } from './lib/events.mjs'
import { assertProblem } from './lib/problem.mjs'
import { Connection } from './lib/socket.mjs'
import { Tokens, sha256, startWithTokens } from './lib/tokens.mjs'
import { run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'
import { openWebSocket, upgrade } from './lib/websocket.mjs'

const ops = { id: 'ops', grants: ['*'] }
const spawn = (node, body, id = 'ops') => node.as(id, 'POST', '/v1/actors', { json: body })

/** Problems are the same, but for what the client itself said. */
const sameAnswer = (a, b) => assert.deepEqual([a.status, a.text], [b.status, b.text])

// ---- who is known ----

test('without a known token there is 401, whatever stands for one', async (t) => {
  const node = await startWithTokens(t, [ops])
  const secret = node.tokens.secrets.ops
  for (const value of [
    undefined, '', 'Bearer', 'Bearer ', `Bearer ${secret}x`, `Bearer ${secret.slice(0, -1)}`, `Bearer ${secret} x`,
    secret, `Basic ${Buffer.from(`ops:${secret}`).toString('base64')}`, `Token ${secret}`, `Bearer ${sha256(secret)}`,
    `Bearer ${'a'.repeat(4000)}`, 'Bearer tk_0123456789012345678901234567890123456789012',
  ]) {
    const headers = value === undefined ? [] : [['Authorization', value]]
    const response = await node.request('GET', '/v1/node', { headers })
    const final = { retry: 'no', outcome: 'not_done' }
    assertProblem(response, { status: 401, code: 'unauthorized', field: 'Authorization', ...final })
    assert.equal(response.headers.get('www-authenticate'), 'Bearer realm="troupe"')
  }
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
    const headers = [['Authorization', `${scheme} ${secret}`]]
    assert.equal((await node.request('GET', '/v1/node', { headers })).status, 200, scheme)
  }
  const twice = [...node.tokens.headers('ops'), ...node.tokens.headers('ops')]
  assert.equal((await node.request('GET', '/v1/node', { headers: twice })).status, 400)
})

test('a connection is nobody: each request is judged by its own token', async (t) => {
  const node = await startWithTokens(t, [ops, { id: 'web', grants: ['read:counter/*'] }])
  const connection = await node.connect()
  const ask = async (id) => (await connection.request('GET', '/v1/node', { headers: node.tokens.headers(id) })).status
  for (const id of ['ops', 'web', null, 'ops', 'ops', 'web', 'web', null, null, 'ops'])
    assert.equal(await ask(id), { ops: 200, web: 403, null: 401 }[id], `${id}`)
  connection.close()
})

// ---- what is told ----

test('what is not there is refused like what is not yours', async (t) => {
  const grants = ['read:counter/*', 'message:counter/*', 'stop:counter/*', 'read:@own']
  const node = await startWithTokens(t, [ops, { id: 'web', grants }])
  const hidden = (await spawn(node, { behavior: 'echo', name: 'hidden' })).json
  const ended = (await spawn(node, { behavior: 'counter', name: 'ended' })).json
  await node.as('ops', 'DELETE', `/v1/actors/${ended.ref}`)
  const neverIssued = hidden.ref.replace(/\.\w+\.\w+$/, '.3f.7')
  for (const [method, target] of [
    ['GET', '/v1/actors/REF'], ['DELETE', '/v1/actors/REF'], ['POST', '/v1/actors/REF/call/get'],
    ['GET', '/v1/actors/REF/call/get'], ['POST', '/v1/actors/REF/cast/add'], ['GET', '/v1/actors/REF/events'],
  ]) {
    const ask = (id, ref) => node.as(id, method, target.replace('REF', ref), { body: '' })
    const refused = await ask('web', '@hidden')
    assertProblem(refused, { status: 403, code: 'forbidden' })
    for (const ref of ['@nobody', hidden.ref, ended.ref, neverIssued]) sameAnswer(await ask('web', ref), refused)
    assert.equal((await ask('ops', '@nobody')).status, 404)
    assert.equal((await ask('ops', ended.ref)).status, 410)
  }
  sameAnswer(await node.as('web', 'GET', '/v1/names/hidden'), await node.as('web', 'GET', '/v1/names/nobody'))
  assert.equal((await node.as('web', 'GET', '/v1/names/own')).status, 404)
  assert.equal((await node.as('web', 'GET', '/v1/actors/@own')).status, 404)
  sameAnswer(await node.as('web', 'GET', '/v1/behaviors/echo'), await node.as('web', 'GET', '/v1/behaviors/none'))

  const client = await openWebSocket(node, { headers: node.tokens.headers('web') })
  const refused = await client.request('call', { id: 1, to: '@hidden', type: 'get' })
  assert.equal(refused.code, 'forbidden')
  for (const to of ['@nobody', hidden.ref, ended.ref, neverIssued])
    assert.deepEqual(await client.request('call', { id: 1, to, type: 'get' }), refused)
  await client.close()
})

test('lists leave out what the token may not read', async (t) => {
  const node = await startWithTokens(t, [
    ops, { id: 'counters', grants: ['read:counter/*'] }, { id: 'names', grants: ['read:@a*'] },
    { id: 'neither', grants: ['read:faulty/*'] },
  ])
  for (const [behavior, name] of [['counter', 'a1'], ['echo', 'a2'], ['counter', 'b1'], ['echo', 'b2']])
    assert.equal((await spawn(node, { behavior, name })).status, 201)
  const list = async (id, path) => (await node.as(id, 'GET', path)).json.items.map((item) => item.name).sort()
  for (const path of ['/v1/actors', '/v1/names']) {
    assert.deepEqual(await list('ops', path), ['a1', 'a2', 'b1', 'b2'])
    assert.deepEqual(await list('counters', path), ['a1', 'b1'])
    assert.deepEqual(await list('names', path), ['a1', 'a2'])
    assert.deepEqual(await list('neither', path), [])
  }
  assert.deepEqual(await list('counters', '/v1/behaviors'), ['counter'])
  assert.deepEqual(await list('names', '/v1/behaviors'), [])
})

test('a spawn is judged by behavior and name, and its name must have the prefix', async (t) => {
  const node = await startWithTokens(t, [
    ops, { id: 'counters', grants: ['spawn:counter/*'], name_prefix: 'web-' }, { id: 'names', grants: ['spawn:@x-*'] },
  ])
  const ask = async (id, body) => (await spawn(node, body, id)).status
  assert.equal(await ask('counters', { behavior: 'counter' }), 201)
  assert.equal(await ask('counters', { behavior: 'counter', name: 'web-1' }), 201)
  assert.equal(await ask('counters', { behavior: 'echo' }), 403)
  assert.equal(await ask('counters', { behavior: 'nothing' }), 403)
  assert.equal(await ask('names', { behavior: 'echo', name: 'x-1' }), 201)
  assert.equal(await ask('names', { behavior: 'echo', name: 'y-1' }), 403)
  assert.equal(await ask('names', { behavior: 'echo' }), 403)
  assertProblem(await spawn(node, { behavior: 'counter', name: 'hits' }, 'counters'),
    { status: 403, code: 'forbidden', field: 'name', detail: /name_prefix/ })
})

test('who has a taken name is told only to those who may know', async (t) => {
  const node = await startWithTokens(t, [ops, { id: 'counters', grants: ['spawn:counter/*'] }])
  const hits = (await spawn(node, { behavior: 'counter', name: 'hits' })).json
  const secret = (await spawn(node, { behavior: 'echo', name: 'secret' })).json
  const taken = await spawn(node, { behavior: 'counter', name: 'hits' }, 'counters')
  assert.equal(assertProblem(taken, { status: 409, code: 'name_taken', field: 'name' }).actor, hits.ref)
  const shared = await spawn(node, { behavior: 'counter', name: 'hits', if_exists: 'return' }, 'counters')
  assert.deepEqual([shared.status, shared.json.ref], [200, hits.ref])
  for (const more of [{}, { if_exists: 'return' }]) {
    const response = await spawn(node, { behavior: 'counter', name: 'secret', ...more }, 'counters')
    assertProblem(response, { status: 409, code: 'name_taken', field: 'name', detail: /may not see/ })
    assert.ok(!response.text.includes(secret.ref))
  }
})

// ---- reloads ----

test('SIGHUP: new grants are true at once, and who is taken out is out', async (t) => {
  const rows = (grants) => [ops, { id: 'web', grants }]
  const node = await startWithTokens(t, [...rows(['read:counter/*']), { id: 'old', grants: ['*'] }])
  await spawn(node, { behavior: 'counter', name: 'hits' })
  const client = await openWebSocket(node, { headers: node.tokens.headers('web') })
  const leaver = await openWebSocket(node, { headers: node.tokens.headers('old') })
  const stream = await openEvents(node, '/v1/actors/@hits/events', { headers: node.tokens.headers('old') })
  const connection = await node.connect()
  const ask = async (id) => (await connection.request('GET', '/v1/node', { headers: node.tokens.headers(id) })).status
  assert.equal(await ask('old'), 200)
  assert.equal((await client.request('call', { to: '@hits', type: 'get' })).code, 'forbidden')

  node.tokens.write(rows(['read', 'message:counter/*']))
  await node.reload()
  assert.equal(await ask('old'), 401) // though the connection remembers it
  assert.equal(await ask('web'), 200)
  assert.deepEqual(await client.call('@hits', 'get'), { value: 0 })
  assert.equal((await leaver.untilClosed()).code, 1008)
  await stream.untilEnded()
  connection.close()
  await client.close()
})

test('SIGHUP with a bad file changes nothing, and the log says what is wrong with it', async (t) => {
  const node = await startWithTokens(t, [ops])
  for (const [text, words] of [
    ['{', /not JSON/], ['{"tokens":[{"id":"ops"}]}', /row 1 \(ops\), sha256/],
    [JSON.stringify({ tokens: [{ id: 'ops', sha256: sha256('x'), grants: ['reed'] }] }), /grants\[0\]: the scope is/],
  ]) {
    node.tokens.writeText(text)
    await node.reload()
    assert.match(node.stderr.trimEnd().split('\n').at(-1), words)
    assert.equal((await node.as('ops', 'GET', '/v1/node')).status, 200)
  }
})

test('a node does not start with a bad file, and says which row and what to write', async (t) => {
  const folder = temporaryFolder(t)
  const tokens = new Tokens(folder).write([{ id: 'web', grants: ['read', 'counter:*'] }])
  const refused = async () => (await run(t, ['--tokens', tokens.path], { folder }).untilExit())
  const { code, stderr } = await refused()
  assert.notEqual(code, 0)
  assert.ok(stderr.includes(`${tokens.path}: row 1 (web), grants[1]: the scope is one of read,`), stderr)
  tokens.write([ops])
  chmodSync(tokens.path, 0o622)
  assert.match((await refused()).stderr, /chmod go-w/)
})

// ---- limits ----

test('a token over its rate gets 429 and when to come back; others do not notice', async (t) => {
  const node = await startWithTokens(t, [ops, { id: 'slow', grants: ['*'], rate: 2 }])
  await node.as('slow', 'GET', '/v1/node')
  const answers = await Promise.all(Array.from({ length: 20 }, () => node.as('slow', 'GET', '/v1/node')))
  const refused = answers.filter((answer) => answer.status !== 200)
  assert.ok(refused.length >= 10, `${refused.length} of 20 were refused`)
  for (const answer of refused) {
    const problem = assertProblem(answer, { status: 429, code: 'rate_limited', retry: 'yes' })
    assert.ok(problem.retry_after_ms <= 500)
    assert.equal(answer.headers.get('retry-after'), '1')
  }
  assert.equal((await node.as('ops', 'GET', '/v1/node')).status, 200)
})

test('a token has so many sessions and streams, however they are opened', async (t) => {
  const node = await startWithTokens(t, [{ id: 'web', grants: ['*'], connections_max: 2 }])
  const headers = node.tokens.headers('web')
  const first = await openWebSocket(node, { headers })
  const stream = await openEvents(node, '/v1/events', { headers })
  assertProblem((await upgrade(await node.connect(), { headers })).response, { status: 429, code: 'limit' })
  assertProblem(await node.as('web', 'GET', '/v1/events'), { status: 429, code: 'limit' })
  assert.equal((await node.as('web', 'GET', '/v1/node')).status, 200)
  await first.close()
  const next = await openWebSocket(node, { headers })
  await next.close()
  stream.close()
})

/** An address of this machine that is not loopback. */
const addresses = Object.values(networkInterfaces()).flat()
const ownAddress = addresses.find((one) => !one.internal && one.family === 'IPv4')?.address

test('an address has so many connections and requests', { skip: !ownAddress && 'only loopback here' }, async (t) => {
  const args = ['--listen-api', '0.0.0.0:0', '--insecure', '--address-connections-max', '3', '--address-rate', '5']
  const node = await start(t, args)
  const open = () => Connection.open(node.port, ownAddress)
  const connections = [await open(), await open(), await open()]
  for (const connection of connections) assert.equal((await connection.request('GET', '/v1/node')).status, 200)
  const refused = await open()
  assertProblem(await refused.response(), { status: 429, code: 'limit', detail: /--address-connections-max/ })
  refused.close()
  connections.pop().close({ reset: true })
  await eventually(async () => { // the node has to notice first
    const connection = await open()
    const response = await connection.request('GET', '/livez')
    connection.close()
    return response.status === 200
  }, 'room for a connection')
  const answers = []
  for (let i = 0; i < 10; i++) answers.push(await connections[0].request('GET', '/v1/node'))
  const late = answers.filter((answer) => answer.status === 429)
  assert.ok(late.length >= 3, `${late.length} of 10 were refused`)
  assertProblem(late[0], { status: 429, code: 'rate_limited', detail: /--address-rate/ })
  for (let i = 0; i < 20; i++) assert.equal((await node.request('GET', '/v1/node')).status, 200) // loopback is exempt
  for (const connection of connections) connection.close()
})

test('refusals are counted by their code', async (t) => {
  const node = await startWithTokens(t, [ops, { id: 'web', rate: 2 }])
  const counts = async () => {
    const { text } = await node.as('ops', 'GET', '/metrics')
    return ['unauthorized', 'forbidden', 'rate_limited'].map((code) =>
      Number(new RegExp(`^troupe_access_refused_total\\{code="${code}"\\} (\\d+)$`, 'm').exec(text)[1]))
  }
  assert.deepEqual(await counts(), [0, 0, 0])
  await node.request('GET', '/v1/node')
  const client = await openWebSocket(node, { headers: node.tokens.headers('web') })
  assert.equal((await client.request('monitor', { to: '@x' })).code, 'forbidden')
  await client.close()
  const over = await Promise.all(Array.from({ length: 9 }, () => node.as('web', 'GET', '/v1/actors')))
  const limited = over.filter((response) => response.status === 429).length
  assert.ok(limited > 0)
  assert.deepEqual(await counts(), [1, 1 + 9 - limited, limited])
})

// ---- what is told to nobody ----

test('audit lines have who and from where; secrets are in no log, answer or command line', async (t) => {
  const folder = temporaryFolder(t)
  const web = { id: 'web', subject: 'the web', grants: ['spawn:counter/*', 'stop:counter/*', 'read:counter/*'] }
  const node = await startWithTokens(t, [ops, web], ['--log', 'json', '--log-level', 'debug'], { folder })
  const answers = []
  const ask = async (...args) => answers.push(await node.as('web', ...args))
  await ask('POST', '/v1/actors', { json: { behavior: 'counter', name: 'hits' } })
  await ask('POST', '/v1/actors', { json: { behavior: 'echo' } })
  await ask('POST', '/v1/actors/@hits/call/get')
  await ask('GET', `/v1/node?token=${node.tokens.secrets.web}`)
  await ask('POST', '/v1/tickets', { json: {} })
  await ask('DELETE', '/v1/actors/@hits?mode=kill')
  await ask('DELETE', '/v1/actors/@hits')
  const { ticket } = answers[4].json
  const wrong = node.tokens.secrets.web.replace(/.$/, '!')
  answers.push(await node.request('GET', '/v1/node', { headers: [['Authorization', `Bearer ${wrong}`]] }))
  const protocols = ['troupe.v1.json', `troupe.token.${node.tokens.secrets.web}`]
  const client = await openWebSocket(node, { protocols })
  const spawned = await client.spawn('counter')
  answers.push({ text: JSON.stringify(await client.request('call', { to: spawned.ref, type: 'get' })) })
  assert.equal(client.protocol, 'troupe.v1.json')
  await client.close()
  await node.reload()

  const lines = node.stderr.trimEnd().split('\n').map((line) => JSON.parse(line))
  const audit = lines.filter((line) => line.subject !== undefined)
  for (const line of audit) {
    assert.deepEqual([line.subject, line.token, line.level], ['the web', 'web', 'info'])
    assert.match(line.from, /^127\.0\.0\.1:\d+$/)
  }
  assert.deepEqual(audit.map(({ msg, operation, result }) => [msg, operation, result]), [
    ['spawn', undefined, 'ok'], ['refused', 'spawnActor', 'forbidden'], ['ticket', undefined, 'ok'],
    ['kill', undefined, 'ok'], ['refused', 'stopActor', 'forbidden'], ['spawn', undefined, 'ok'],
  ])

  const texts = answers.map((answer) => answer.text).filter((text) => !text.includes(ticket))
  assert.equal(texts.length, answers.length - 1)
  const said = [node.stdout, node.stderr, ...texts,
    readFileSync(`/proc/${node.pid}/cmdline`, 'latin1'), readFileSync(`/proc/${node.pid}/environ`, 'latin1'),
    readFileSync(node.portsFile, 'latin1'), (await node.as('ops', 'GET', '/metrics')).text].join('\n')
  for (const [name, secret] of Object.entries({ ...node.tokens.secrets, ticket, wrong })) {
    assert.ok(!said.includes(secret), `${name} was told`)
    assert.ok(!said.includes(sha256(secret)), `the hash of ${name} was told`)
  }
})
