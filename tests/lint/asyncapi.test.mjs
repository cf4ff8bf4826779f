// SPDX-License-Identifier: Apache-2.0
//
// The AsyncAPI document that a real node serves, judged by the JSON Schema of the specification, which
// LINT/node_modules holds (./x test lint), and by what that schema cannot say: that references lead somewhere, and that
// the payloads are schemas that tell good frames from bad ones.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import path from 'node:path'
import { before, test } from 'node:test'

import { start } from '../node/lib/trouped.mjs'

if (!process.env.LINT) throw new Error('LINT must name the folder that holds node_modules, for example LINT=build/lint')

const load = createRequire(path.resolve(process.env.LINT, 'node_modules/'))
const { default: Ajv } = load('ajv')
const specification = load('@asyncapi/specs/schemas/3.0.0-without-$id.json')

let document

before(async () => {
  const cleanups = []
  const node = await start({ after: (fn) => cleanups.push(fn) })
  document = (await node.request('GET', '/asyncapi.json')).json
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const judge = new Ajv({ strict: false, logger: false, validateFormats: false }).compile(specification)

function* refsIn(value) {
  if (value === null || typeof value !== 'object') return
  if (typeof value.$ref === 'string') yield value.$ref
  for (const item of Object.values(value)) yield* refsIn(item)
}

const follow = (ref) => ref.split('/').slice(1).reduce((at, key) => at?.[key.replaceAll('~1', '/')], document)

/** A function that says whether a frame is one of this message. */
function payloadOf(name) {
  const { payload } = document.components.messages[name]
  const schema = { ...structuredClone(payload), components: document.components }
  return new Ajv({ strict: false, logger: false }).compile(schema)
}

test('the AsyncAPI document is clean, and the linter would tell', () => {
  assert.ok(judge(document), JSON.stringify(judge.errors, null, 1))
  const planted = structuredClone(document)
  delete planted.info.title
  assert.ok(!judge(planted))
  const wrong = structuredClone(document)
  wrong.operations.call.action = 'shout'
  assert.ok(!judge(wrong))
})

test('every reference leads somewhere', () => {
  const refs = [...refsIn(document)]
  assert.ok(refs.length > 100, `only ${refs.length} were found`)
  for (const ref of refs) assert.ok(ref.startsWith('#/') && follow(ref) !== undefined, ref)
})

test('every message has an operation, and every operation that is answered says how', () => {
  const messages = Object.keys(document.components.messages)
  assert.deepEqual(Object.keys(document.operations), messages)
  assert.deepEqual(Object.keys(document.channels.session.messages), messages)
  const silent = Object.entries(document.operations)
    .filter(([, operation]) => operation.action === 'receive' && !operation.reply).map(([name]) => name)
  assert.deepEqual(silent, ['ack', 'credit', 'bye'])
})

test('the payloads tell good frames from bad ones', () => {
  const good = {
    call: [{ op: 'call', id: 1, to: '@a', type: 't', body: null },
      { op: 'call', id: 'x', to: '@a', type: 't', body_b64: '' }],
    cast: [{ op: 'cast', to: '@a', type: 't', body_b64: 'AA==', content_type: 'a/b' }],
    spawn: [{ op: 'spawn', id: 1, behavior: 'b', mailbox: { messages: 1, policy: 'refuse' } }],
    subscribe: [{ op: 'subscribe', id: 1, to: '@a', from: 'oldest' }, { op: 'subscribe', id: 1, topic: 'cluster' }],
    reply: [{ op: 'reply', id: 1 }],
  }
  const bad = {
    call: [{ op: 'cast', id: 1, to: '@a', type: 't' }, { op: 'call', to: '@a', type: 't' },
      { op: 'call', id: 1.5, to: '@a', type: 't' }, { op: 'call', id: 1, to: '@a', type: 't', more: 1 },
      { op: 'call', id: 1, to: '@a', type: 't', body: 1, body_b64: '' }],
    cast: [{ op: 'cast', to: '@a', type: 't', content_type: 'a/b' }],
    spawn: [{ op: 'spawn', id: 1, behavior: 'b', mailbox: { messages: 0 } }],
    subscribe: [{ op: 'subscribe', id: 1 }, { op: 'subscribe', id: 1, to: '@a', topic: 'cluster' },
      { op: 'subscribe', id: 1, to: '@a', from: 'now', after: '0123456789abcdef.1' }],
    reply: [{ op: 'reply' }],
  }
  for (const [name, frames] of Object.entries(good)) {
    const fits = payloadOf(name)
    for (const frame of frames) assert.ok(fits(frame), `${JSON.stringify(frame)}: ${JSON.stringify(fits.errors)}`)
  }
  for (const [name, frames] of Object.entries(bad)) {
    for (const frame of frames) assert.ok(!payloadOf(name)(frame), JSON.stringify(frame))
  }
})
