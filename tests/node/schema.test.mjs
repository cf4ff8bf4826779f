// SPDX-License-Identifier: Apache-2.0
//
// The check of bodies and args at the edges: every way into a node, the pointer to what is wrong, and that nothing which
// was refused has reached the actor.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { compile, SCHEMA, sourceOf } from './lib/plugin.mjs'
import { assertProblem } from './lib/problem.mjs'
import { start, temporaryFolder } from './lib/trouped.mjs'
import { openWebSocket } from './lib/websocket.mjs'

const schema = { status: 422, code: 'schema' }

async function startWith(t, source) {
  const folder = temporaryFolder(t)
  const node = await start(t, ['--behavior', compile(folder, 'speaker', source)], { folder })
  node.to = (ref, how, options) => node.request('POST', `/v1/actors/${ref}/${how}/say`, options)
  node.processed = async (ref) => (await node.request('GET', `/v1/actors/${ref}`)).json.processed
  return node
}

test('a call is refused with a pointer to what is wrong, before the actor sees it', async (t) => {
  const node = await startWith(t, sourceOf())
  const { ref } = await node.spawn('speaker')
  for (const [json, field, detail] of [
    [{}, '/word', /^word is missing$/],
    [{ word: 1 }, '/word', /^word: it must be a string, not a number$/],
    [{ word: '' }, '/word', /at least 1 characters/],
    [{ word: 'x', n: 0 }, '/n', /^n: it must be at least 1$/],
    [{ word: 'x', n: 10 }, '/n', /^n: it must be at most 9$/],
    [{ word: 'x', n: 1.5 }, '/n', /it must be an integer, not a number with a fraction/],
    [{ word: 'x', 'a/b~c': 1 }, '/a~1b~0c', /there is no such member/],
    [[], '', /^it must be an object, not an array$/],
  ]) assertProblem(await node.to(ref, 'call', { json }), { ...schema, field, detail })
  assert.equal(await node.processed(ref), 0)
  assert.equal((await node.to(ref, 'call', { json: { word: 'x', n: 9 } })).json, '1.0.0')
})

test('no body reads as {}, and a body is checked whatever its content type says', async (t) => {
  const node = await startWith(t, sourceOf())
  const { ref } = await node.spawn('speaker')
  assertProblem(await node.to(ref, 'call', {}), { ...schema, field: '/word' })
  const headers = [['Content-Type', 'application/octet-stream']]
  assertProblem(await node.to(ref, 'call', { headers, body: '{}' }), { ...schema, field: '/word' })
  assertProblem(await node.to(ref, 'call', { headers, body: '\xff' }), { status: 400, code: 'malformed' })
})

test('a body that is not JSON is malformed, even behind a member that is wrong', async (t) => {
  const node = await startWith(t, sourceOf())
  const { ref } = await node.spawn('speaker')
  const malformed = { status: 400, code: 'malformed', detail: /the body is not JSON: .* at byte \d+/ }
  assertProblem(await node.to(ref, 'call', { body: '{"word":' }), malformed)
  assertProblem(await node.to(ref, 'call', { body: '{"word":1,' }), malformed)
  assertProblem(await node.to(ref, 'call', { body: '{"word":"x"}}' }), malformed)
})

test('a cast is refused as a call is', async (t) => {
  const node = await startWith(t, sourceOf())
  const { ref } = await node.spawn('speaker')
  assertProblem(await node.to(ref, 'cast', { json: { word: 1 } }), { ...schema, field: '/word' })
  assert.equal((await node.to(ref, 'cast', { json: { word: 'x' } })).status, 202)
})

test('of a batch the line that does not fit is named, and those before it were taken', async (t) => {
  const node = await startWith(t, sourceOf())
  const { ref } = await node.spawn('speaker')
  const body = '{"word":"a"}\n{"word":"b"}\n{"word":3}\n{"word":"d"}\n'
  const response = await node.to(ref, 'cast', { headers: [['Content-Type', 'application/x-ndjson']], body })
  const problem = assertProblem(response, { ...schema, field: '/word', detail: /^line 3 was refused: word: it must be/ })
  assert.equal(problem.accepted, 2)
})

test('GET calls without a body, which reads as {}', async (t) => {
  const node = await start(t)
  const { ref } = await node.spawn('kv')
  assertProblem(await node.request('GET', `/v1/actors/${ref}/call/get`), { ...schema, field: '/key' })
  assert.equal((await node.request('GET', `/v1/actors/${ref}/call/list`)).status, 200)
})

test('args are checked before an actor is made, with a pointer into the body of the request', async (t) => {
  const node = await startWith(t, sourceOf({ args: { type: 'object', properties: { list: { items: SCHEMA } } } }))
  const spawn = (args) => node.request('POST', '/v1/actors', { json: { behavior: 'speaker', name: 'it', args } })
  assertProblem(await spawn({ list: [{ word: 'x' }, { word: 1 }] }), {
    ...schema, field: '/args/list/1/word', detail: /^args: word: it must be a string/,
  })
  assertProblem(await spawn(7), { ...schema, field: '/args' })
  assert.equal((await node.request('GET', '/v1/names/it')).status, 404)
  assert.equal((await spawn({ list: [] })).status, 201)
})

test('a session is refused in the same way, with a pointer into its frame', async (t) => {
  const node = await startWith(t, sourceOf({ args: { type: 'object' } }))
  const { ref } = await node.spawn('speaker')
  const client = await openWebSocket(node)
  const ask = async (op, more) => {
    const { code, field, status } = await client.request(op, more)
    return { code, field, status }
  }
  const refused = (field) => ({ code: 'schema', field, status: 422 })
  assert.deepEqual(await ask('call', { to: ref, type: 'say', body: { word: 1 } }), refused('/body/word'))
  assert.deepEqual(await ask('call', { to: ref, type: 'say' }), refused('/body/word'))
  assert.deepEqual(await ask('cast', { to: ref, type: 'say', body: [] }), refused('/body'))
  const octets = Buffer.from('{"n":1}').toString('base64')
  assert.deepEqual(await ask('call', { to: ref, type: 'say', body_b64: octets }), refused('/body/word'))
  assert.deepEqual(await ask('spawn', { behavior: 'speaker', args: 1 }), refused('/args'))
  assert.equal(await node.processed(ref), 0)
  assert.equal(await client.call(ref, 'say', { word: 'x' }), '1.0.0')
  await client.close()
})

test('messages between actors are not checked: the behavior sees them as they are', async (t) => {
  const node = await startWith(t, sourceOf())
  const { ref } = await node.spawn('speaker')
  const { ref: relay } = await node.spawn('relay', { args: { to: ref } })
  assert.equal((await node.to(relay, 'call', { json: { word: 1 } })).json, '1.0.0')
})

test('the standard behaviors say of their args what they take', async (t) => {
  const node = await start(t)
  for (const [behavior, args, field] of [
    ['counter', { value: 'x' }, '/args/value'], ['kv', { keys_max: 0 }, '/args/keys_max'], ['relay', {}, '/args/to'],
    ['ticker', { to: '@x' }, '/args/period_ms'],
  ]) {
    const response = await node.request('POST', '/v1/actors', { json: { behavior, args } })
    assertProblem(response, { ...schema, field })
  }
})
