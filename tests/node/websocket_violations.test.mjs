// SPDX-License-Identifier: Apache-2.0
//
// What no honest WebSocket client does, each with the answer that it gets: a refused handshake, a close code, or the
// end of the connection. Meanwhile a session on the same worker goes on as if nothing were, and afterwards nothing is left.
// What the library lets pass is in a list that docs/operations.md repeats.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'

import { Connection, requestBytes } from './lib/socket.mjs'
import { suite } from './lib/suite.mjs'
import { isSanitized, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'
import { closePayload, frameBytes, handshake, opcode, openWebSocket } from './lib/websocket.mjs'

const MIB = 1 << 20

let node
let observer
let counted = 0
let before_

before(async () => {
  node = await start(suite, ['--workers', '1'])
  await node.spawn('counter', { name: 'observed' })
  await node.spawn('echo', { name: 'echo' })
  await node.spawn('faulty', { name: 'faulty' })
  const first = await openWebSocket(node) // whatever is made on first use is there now
  await first.call('@echo', 'echo', 'x'.repeat(MIB / 2))
  await first.close()
  observer = await openWebSocket(node)
  await observer.ask('ping')
  before_ = { descriptors: node.descriptors(), memory: node.memory() }
  suite.after(() => observer.abort())
})

/** The observer's session is there, has lost nothing, and was told nothing. */
async function assertUntouched() {
  counted += 1
  assert.deepEqual(await observer.call('@observed', 'add', { by: 1 }), { value: counted })
  assert.deepEqual(observer.untaken, [])
}

// ---- handshakes ----

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const row = (name, status, bytes) => ({ name, status, bytes })
const asked = ({ method = 'GET', target = '/v1/ws', ...options }) =>
  requestBytes(method, target, { headers: handshake(options) })
const as = (version, bytes) => Buffer.from(bytes.toString('latin1').replace('HTTP/1.1', version), 'latin1')

const handshakes = [
  row('no upgrade at all', 426, requestBytes('GET', '/v1/ws')),
  row('an upgrade to something else', 426, asked({ upgrade: 'h2c' })),
  row('Upgrade without Connection: upgrade', 426, asked({ connection: 'keep-alive' })),
  row('version 8', 426, asked({ version: '8' })),
  row('version 99', 426, asked({ version: '99' })),
  row('version 130', 426, asked({ version: '130' })),
  row('a version in letters', 426, asked({ version: 'xiii' })),
  row('no version', 426, asked({ version: null })),
  row('an empty version', 426, asked({ version: '' })),
  row('no key', 400, asked({ key: null })),
  row('an empty key', 400, asked({ key: '' })),
  row('a key of 15 bytes', 400, asked({ key: Buffer.alloc(15).toString('base64') })),
  row('a key of 17 bytes', 400, asked({ key: Buffer.alloc(17).toString('base64') })),
  row('a key that is no base 64', 400, asked({ key: '!!!!!!!!!!!!!!!!!!!!!!==' })),
  row('a key without its padding', 400, asked({ key: key.slice(0, 22) })),
  row('a key with bits left over', 400, asked({ key: 'AAAAAAAAAAAAAAAAAAAAAB==' })),
  row('a key of 4,000 bytes', 400, asked({ key: 'A'.repeat(4000) })),
  row('POST', 405, asked({ method: 'POST' })),
  row('PUT', 405, asked({ method: 'PUT' })),
  row('HTTP/1.0', 426, as('HTTP/1.0', asked({}))),
  row('a query that the route does not know', 400, asked({ target: '/v1/ws?x=1' })),
  row('an Origin of another site', 403, asked({ headers: [['Origin', 'https://evil.example']] })),
  row('a Host of another site', 421, requestBytes('GET', '/v1/ws', { host: 'evil.example', headers: handshake() })),
  row('only subprotocols that nobody knows', 400, asked({ protocols: ['chat', 'superchat'] })),
]

for (const { name, status, bytes } of handshakes) {
  test(`a handshake with a fault is refused: ${name}`, async () => {
    const connection = await Connection.open(node.port)
    connection.send(bytes)
    const response = await connection.response()
    assert.equal(response.status, status, response.text)
    assert.equal(response.type, 'application/problem+json')
    if (status === 426) {
      assert.equal(response.headers.get('sec-websocket-version'), '13')
      assert.match(response.headers.get('upgrade') ?? '', /^websocket$/i)
    }
    connection.close()
    await assertUntouched()
  })
}

// ---- frames ----

const { text, binary, continuation, close, ping, pong } = opcode
const euro = Buffer.from('€')
const call = (size) => `{"op":"call","id":1,"to":"@echo","type":"echo","body":"${'x'.repeat(size)}"}`
const bad = (name, code, ...frames) => ({ name, code, frames })

const badText = (name, bytes) => [
  bad(`bad UTF-8: ${name}`, 1007, { payload: Buffer.from(bytes) }),
  bad(`bad UTF-8 in the second fragment: ${name}`, 1007,
    { payload: '"', fin: false }, { op: continuation, payload: Buffer.from(bytes) }),
  bad(`bad UTF-8 before a fragment that never comes: ${name}`, 1007,
    { payload: Buffer.from([...bytes, 0x22]), fin: false }),
]

const frames = [
  bad('a frame that is not masked', 1002, { payload: '{"op":"ping"}', masked: false }),
  ...[1, 2, 4, 7].map((rsv) => bad(`reserved bits ${rsv}`, 1002, { payload: '{}', rsv })),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((op) => bad(`opcode ${op}`, 1002, { op, payload: '' })),
  ...[ping, pong, close].map((op) => bad(`control frame ${op} of 126 bytes`, 1002, { op, payload: 'x'.repeat(126) })),
  bad('a ping of 70,000 bytes', 1002, { op: ping, payload: 'x'.repeat(70_000) }),
  ...[ping, pong, close].map((op) => bad(`control frame ${op} in pieces`, 1002, { op, payload: '', fin: false })),
  bad('a control frame with a reserved bit', 1002, { op: ping, rsv: 4 }),
  bad('nothing to continue', 1002, { op: continuation, payload: '{}' }),
  bad('nothing to continue, not final', 1002, { op: continuation, payload: '{}', fin: false }),
  bad('a message within another', 1002, { payload: '{"op":', fin: false }, { payload: '"ping"}' }),
  bad('a fragment within another', 1002, { payload: '{"op":', fin: false }, { payload: '"ping"}', fin: false }),
  bad('nothing to continue after a whole message', 1002,
    { payload: '{"op":"ping"}' }, { op: continuation, payload: ' ' }),
  bad('a binary message', 1003, { op: binary, payload: '{"op":"ping"}' }),
  bad('an empty binary message', 1003, { op: binary }),
  bad('a binary message in fragments', 1003,
    { op: binary, payload: 'a', fin: false }, { op: continuation, payload: 'b' }),
  ...badText('a byte that is none', [0xff]),
  ...badText('a continuation alone', [0x80]),
  ...badText('overlong slash', [0xc0, 0xaf]),
  ...badText('overlong in 3 bytes', [0xe0, 0x80, 0xaf]),
  ...badText('a surrogate', [0xed, 0xa0, 0x80]),
  ...badText('beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]),
  ...badText('5 bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]),
  bad('UTF-8 that stops in a character', 1007, { payload: euro.subarray(0, 2) }),
  bad('UTF-8 that stops in a character, in the last fragment', 1007,
    { payload: 'a', fin: false }, { op: continuation, payload: euro.subarray(0, 1) }),
  bad('a character cut by a message that is whole', 1007,
    { payload: euro.subarray(0, 1) }, { payload: euro.subarray(1) }),
  bad('a message of 2 MiB', 1009, { payload: call(2 * MIB) }),
  bad('a message of 2 MiB, of which only the head comes', 1009, { payload: '', length: 2 * MIB }),
  bad('a message of 4 GiB, of which only the head comes', 1009, { payload: '', length: 2 ** 32 }),
  bad('fragments that are 2 MiB together', 1009,
    ...Array.from({ length: 32 }, (_, i) => ({ op: i ? continuation : text, payload: 'x'.repeat(65536), fin: i > 30 }))),
  bad('a length with its highest bit', [1002, 1009], { payload: '', form: 64, length: 2 ** 63 }),
  bad('close with half a code', 1002, { op: close, payload: 'x' }),
  ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) =>
    bad(`close code ${code}`, 1002, { op: close, payload: closePayload(code) })),
  bad('a close reason that is no UTF-8', [1002, 1007], {
    op: close, payload: Buffer.concat([closePayload(1000), Buffer.from([0xff])]),
  }),
]

/** What the library takes although RFC 6455 does not allow it. When this fails it is seen after all, and goes above. */
const hidden = [
  { name: 'a later frame that is not masked', frame: { payload: '{"op":"ping"}', masked: false } },
  { name: 'a length in more bytes than it needs', frame: { payload: '{"op":"ping"}', form: 16 } },
]

for (const { name, code, frames: sent } of frames) {
  test(`a violation gets ${[code].flat().join(' or ')}: ${name}`, async () => {
    const client = await openWebSocket(node)
    for (const frame of sent) client.sendFrame(frame)
    const closed = await client.untilClosed()
    assert.ok([code].flat().includes(closed?.code), `closed with ${JSON.stringify(closed)}`)
    client.abort()
    await assertUntouched()
  })
}

for (const { name, frame } of hidden) {
  test(`the library takes ${name}`, async () => {
    const client = await openWebSocket(node)
    await client.ask('ping')
    client.sendFrame(frame)
    assert.equal((await client.next()).op, 'pong')
    await client.close()
    await assertUntouched()
  })
}

test('what the WebSocket library hides is documented, and nothing else', () => {
  const docs = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const section = /^#+ What the WebSocket library hides\n([^]*?)(?=^#|$(?![^]))/m.exec(docs)
  assert.ok(section, 'docs/operations.md has no section "What the WebSocket library hides"')
  const listed = [...section[1].matchAll(/^[-*] `([^`]+)`/gm)].map((match) => match[1])
  assert.deepEqual(listed.sort(), hidden.map(({ name }) => name).sort())
})

// ---- what is unusual and right ----

test('fragments, empty ones too, with control frames between them, are one message', async () => {
  const client = await openWebSocket(node)
  const message = Buffer.from(call(5).replace('xxxxx', 'é€😀'))
  const last = message.length - 1
  const pings = []
  message.forEach((byte, i) => {
    client.sendFrame({ op: i ? continuation : text, payload: Buffer.from([byte]), fin: i === last })
    if (i % 10 === 0) client.sendFrame({ op: ping, payload: pings[pings.push(`p${i}`) - 1] })
    if (i % 10 === 5 && i < last) client.sendFrame({ op: continuation, payload: '', fin: false })
  })
  assert.equal((await client.next()).body, 'é€😀')
  await client.settled()
  assert.equal(client.pongs[0], pings[0]) // of pings that come together, the library answers the first only
  assert.deepEqual(client.pongs, pings.filter((payload) => client.pongs.includes(payload)))
  await client.close()
})

test('a frame that comes byte by byte is taken', async () => {
  const client = await openWebSocket(node)
  for (const byte of frameBytes({ payload: call(200) })) {
    client.write(Buffer.from([byte]))
    await client.flushed()
  }
  assert.equal((await client.next()).body.length, 200)
  await client.close()
})

test('a message as large as a body may be is taken, whole and in fragments', async () => {
  const client = await openWebSocket(node)
  const { frame_bytes_max: max } = await client.ask('hello')
  assert.ok(max >= MIB)
  const message = call(MIB - 100)
  client.sendText(message)
  assert.equal((await client.next()).body.length, MIB - 100)
  for (let at = 0; at < message.length; at += 5000) {
    const payload = message.slice(at, at + 5000)
    client.sendFrame({ op: at ? continuation : text, payload, fin: at + 5000 >= message.length })
  }
  assert.equal((await client.next()).body.length, MIB - 100)
  await client.close()
})

test('each close code that a client may send is answered by itself', async () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]) {
    const client = await openWebSocket(node)
    assert.equal((await client.close(code, 'as agreed')).code, code)
  }
  const silent = await openWebSocket(node)
  silent.sendFrame({ op: close })
  assert.notEqual(await silent.untilClosed(), null)
  silent.abort()
})

test('what comes behind a close is not looked at', async () => {
  const client = await openWebSocket(node)
  client.write(Buffer.concat([
    frameBytes({ op: close, payload: closePayload(1000) }),
    frameBytes({ payload: '{"op":"cast","to":"@observed","type":"add","body":{"by":1000}}' }),
  ]))
  assert.equal((await client.untilClosed()).code, 1000)
  await assertUntouched()
})

// ---- too much ----

test('20 frames in a row that cannot be read end a session, 19 do not', async () => {
  const client = await openWebSocket(node)
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 19; i++) client.sendText(['{', '[]', '{"op":"fly"}'][i % 3])
    for (let i = 0; i < 19; i++) assert.equal((await client.next()).op, 'error')
    assert.equal((await client.ask('ping')).op, 'pong')
  }
  for (let i = 0; i < 20; i++) client.sendText('{')
  assert.equal((await client.untilClosed()).code, 1008)
  client.abort()
  await assertUntouched()
})

test('who asks more than its rate is told, and who does not listen is closed', async (t) => {
  const file = path.join(temporaryFolder(t), 'tokens.json')
  const token = `tt_${'r'.repeat(43)}`
  const sha256 = createHash('sha256').update(token).digest('hex')
  const grants = ['read', 'message', 'spawn']
  const tokens = [{ id: 'slow', sha256, subject: 'slow', grants, rate: 10 }]
  writeFileSync(file, JSON.stringify({ tokens }), { mode: 0o600 })
  const limited = await start(t, ['--tokens', file])
  const client = await openWebSocket(limited, { headers: [['Authorization', `Bearer ${token}`]] })
  for (let id = 0; id < 1000 && !client.isOver; id++) client.send({ op: 'call', id, to: '@x', type: 'get' })
  const error = await client.next({ op: 'error', code: 'rate_limited' })
  assert.ok(error.retry_after_ms > 0, error.raw)
  assert.equal((await client.untilClosed()).code, 1008)
  client.abort()
})

test('a flood of pings is answered or closed, and hurts nobody', async () => {
  const client = await openWebSocket(node)
  const burst = Buffer.concat(Array.from({ length: 1000 }, () => frameBytes({ op: ping, payload: 'x'.repeat(125) })))
  for (let i = 0; i < 50; i++) {
    client.write(burst)
    if (i % 10 === 0) await assertUntouched()
  }
  if (!client.isOver) await client.flushed()
  await assertUntouched()
  client.abort()
})

test('a client that never reads is closed with 1013, and costs no more than its queue', async () => {
  const client = await openWebSocket(node)
  client.pause()
  const memory = node.memory()
  const ask = { op: 'call', to: '@faulty', type: 'big', body: { bytes: 500_000 } }
  for (let id = 0; id < 400; id++) client.send({ ...ask, id })
  await assertUntouched()
  if (!isSanitized) assert.ok(node.memory() - memory < 64 * MIB, `grown by ${node.memory() - memory}`)
  let handled = -1 // calls, of all clients; when no more are, the session has been given up
  await eventually(async () => {
    const before = handled
    handled = (await node.request('GET', '/v1/actors/@faulty')).json.processed
    for (let i = 0; i < 10; i++) await assertUntouched()
    return handled === before
  }, 'the session is given up')
  client.resume()
  assert.equal((await client.untilClosed())?.code, 1013)
  client.abort()
})

// ---- connections that die ----

test('connections that end in the middle of a frame, or of a message, are forgotten', async () => {
  const whole = frameBytes({ payload: call(1000) })
  const fragment = frameBytes({ payload: call(1000).slice(0, 500), fin: false })
  const pieces = [...[1, 5, 500].map((size) => whole.subarray(0, size)), fragment, Buffer.concat([whole, fragment])]
  for (const piece of pieces) {
    for (const end of ['abort', 'reset', 'half']) {
      const client = await openWebSocket(node)
      client.write(piece)
      await client.flushed()
      if (end === 'half') {
        client.finish()
        await client.untilClosed()
      }
      client.abort({ reset: end === 'reset' })
    }
  }
  await eventually(() => node.descriptors() <= before_.descriptors, 'the descriptors are back')
  await assertUntouched()
})

test('a client that was closed and does not answer does not stay', async () => {
  const client = await openWebSocket(node)
  client.answersClose = false
  client.sendFrame({ op: binary })
  await eventually(() => client.closed, 'the close frame')
  client.pause()
  await eventually(() => node.descriptors() <= before_.descriptors, 'the descriptor is back', 40_000)
  client.abort()
})

test('afterwards descriptors and memory are back, and the observer has seen nothing', async () => {
  await eventually(() => node.descriptors() <= before_.descriptors, 'the descriptors are back')
  const grown = node.memory() - before_.memory
  if (!isSanitized) assert.ok(grown < 64 * MIB, `grown by ${grown} bytes`)
  await assertUntouched()
  assert.equal(observer.isOver, false)
})
