// SPDX-License-Identifier: Apache-2.0
//
// A WebSocket client that writes each bit of a frame as a test wants it, and takes nothing from the node that RFC 6455
// does not allow. Good behavior is short: request(), next(), close(). Everything waits with a deadline.
//
//   const client = await openWebSocket(node)
//   const { body } = await client.ask('call', { to: '@hits', type: 'add', body: { by: 1 } })
//   await client.next({ op: 'down', id: 7 })

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'

import { Receiver } from './receiver.mjs'
import { Connection, requestBytes } from './socket.mjs'

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }
const PROTOCOL = 'troupe.v1.json'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' // RFC 6455, part 1.3

/** The headers of a handshake; null leaves one out. */
export function handshake({ key = randomBytes(16).toString('base64'), version = '13', ...more } = {}) {
  const { upgrade = 'websocket', connection = 'Upgrade', protocols = [PROTOCOL], headers = [] } = more
  const all = [
    ['Upgrade', upgrade],
    ['Connection', connection],
    ['Sec-WebSocket-Key', key],
    ['Sec-WebSocket-Version', version],
    ['Sec-WebSocket-Protocol', protocols.length > 0 ? protocols.join(', ') : null],
    ...headers,
  ]
  return all.filter(([, value]) => value !== null)
}

/** Ask for an upgrade on a connection that may have served requests before: {response, client}; the client is null
 *  when it was refused. */
export async function upgrade(connection, { target = '/v1/ws', method = 'GET', host, ...options } = {}) {
  const key = options.key ?? randomBytes(16).toString('base64')
  connection.send(requestBytes(method, target, { host, headers: handshake({ ...options, key }) }))
  const response = await connection.response(method)
  if (response.status !== 101) return { response, client: null }
  const proof = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  assert.equal(response.headers.get('sec-websocket-accept'), proof)
  assert.match(response.headers.get('upgrade') ?? '', /^websocket$/i)
  assert.match(response.headers.get('connection') ?? '', /^upgrade$/i)
  assert.equal(response.headers.get('sec-websocket-extensions'), undefined, 'no extension was offered')
  const client = new WebSocketClient(connection.release())
  client.protocol = response.headers.get('sec-websocket-protocol')
  return { response, client }
}

/** Connect to a node, {port} or {path} will do, and upgrade; it must work. */
export async function openWebSocket(node, options) {
  const connection = node.path ? await Connection.openPath(node.path) : await Connection.open(node.port)
  const { response, client } = await upgrade(connection, options)
  assert.equal(response.status, 101, response.text)
  return client
}

/** The bytes of a frame. `length` is what the head says, `form` how: 7, 16 or 64 bits. */
export function frameBytes({ op = opcode.text, payload = '', fin = true, rsv = 0, masked = true, ...more } = {}) {
  const content = Buffer.from(payload)
  const { length = content.length, form = length < 126 ? 7 : length < 65536 ? 16 : 64, mask = randomBytes(4) } = more
  const first = (fin ? 0x80 : 0) | (rsv << 4) | op
  const bit = masked ? 0x80 : 0
  const head = Buffer.alloc({ 7: 2, 16: 4, 64: 10 }[form])
  head[0] = first
  head[1] = bit | { 7: length, 16: 126, 64: 127 }[form]
  if (form === 16) head.writeUInt16BE(length, 2)
  if (form === 64) head.writeBigUInt64BE(BigInt(length), 2)
  if (!masked) return Buffer.concat([head, content])
  for (let i = 0; i < content.length; i++) content[i] ^= mask[i & 3]
  return Buffer.concat([head, mask, content])
}

/** The payload of a close frame. */
export function closePayload(code, reason = '') {
  const text = Buffer.from(reason)
  const payload = Buffer.alloc(2 + text.length)
  payload.writeUInt16BE(code)
  text.copy(payload, 2)
  return payload
}

class WebSocketClient extends Receiver {
  #parts = [] // of a fragmented message
  #partsOp = 0
  #id = 0

  pings = 0        // that the node sent
  pongs = []       // payloads of pongs that came
  closed = null    // {code, reason} of the node's close frame
  answersPings = true
  answersClose = true // as one must; the answer to a close of ours is none

  constructor(released) {
    super('the node broke the protocol')
    this.begin(released, 'the node closed the connection')
  }

  // ---- what goes out ----

  /** One frame; see frameBytes. */
  sendFrame(frame) {
    if (frame.op === opcode.close) this.answersClose = false // only one close frame goes each way
    return this.write(frameBytes(frame))
  }

  sendText(text) {
    return this.sendFrame({ payload: text })
  }

  /** One operation. */
  send(operation) {
    return this.sendText(JSON.stringify(operation))
  }

  // ---- what comes in: JSON frames, of which each has its text as `raw` ----

  /** Send an operation with an id of its own, unless it brings one, and wait for its answer, whichever it is. */
  async request(op, members = {}, deadlineMs = undefined) {
    const id = members.id ?? `r${++this.#id}`
    this.send({ op, ...members, id })
    return this.next((frame) => frame.id === id && answers.has(frame.op), deadlineMs)
  }

  /** The same, and the answer must not be an error. */
  async ask(op, members, deadlineMs) {
    const frame = await this.request(op, members, deadlineMs)
    assert.notEqual(frame.op, 'error', JSON.stringify(frame))
    return frame
  }

  /** Spawn an actor and give its document. */
  async spawn(behavior, members = {}) {
    return (await this.ask('spawn', { behavior, ...members })).body
  }

  /** Call an actor and give the body of its reply. */
  async call(to, type, body) {
    return (await this.ask('call', { to, type, body })).body
  }

  /** When this is done the node has handled all that was sent before. Gives the frames that nobody took. */
  async settled() {
    assert.equal((await this.ask('ping')).op, 'pong')
    return this.untaken
  }

  // ---- the end ----

  /** Wait until the node has closed: {code, reason} of its close frame, or null when it said none. */
  async untilClosed(deadlineMs) {
    const said = () => `the end of the WebSocket, of whose close is known ${JSON.stringify(this.closed)}`
    await this.untilOver(said, deadlineMs)
    return this.closed
  }

  /** Close as one should: close frames both ways, then the connection. */
  async close(code = 1000, reason = '') {
    this.resume()
    this.sendFrame({ op: opcode.close, payload: closePayload(code, reason) })
    const closed = await this.untilClosed()
    this.abort()
    return closed
  }

  // ---- frames of the node, held to the letter ----

  read() {
    for (let frame; !this.closed && (frame = this.#frame()); ) this.#judge(frame)
  }

  #frame() {
    const data = this.received
    if (data.length < 2) return null
    const short = data[1] & 0x7f
    assert.equal(data[1] & 0x80, 0, 'a frame of a server is not masked')
    assert.equal(data[0] & 0x70, 0, 'a reserved bit is set')
    const at = short === 126 ? 4 : short === 127 ? 10 : 2
    if (data.length < at) return null
    const length = short === 126 ? data.readUInt16BE(2) : short === 127 ? Number(data.readBigUInt64BE(2)) : short
    assert.ok(short < 126 || length > (short === 126 ? 125 : 65535), 'a length in more bytes than it needs')
    if (data.length < at + length) return null
    this.received = data.subarray(at + length)
    return { fin: (data[0] & 0x80) !== 0, op: data[0] & 0x0f, payload: data.subarray(at, at + length) }
  }

  #judge({ fin, op, payload }) {
    if (op >= 8) {
      assert.ok(fin && payload.length <= 125, 'a control frame in pieces, or too long')
      return this.#control(op, payload)
    }
    if (op === opcode.continuation) assert.ok(this.#parts.length > 0, 'nothing to continue')
    else assert.equal(this.#parts.length, 0, 'a message in the middle of another')
    if (op !== opcode.continuation) this.#partsOp = op
    this.#parts.push(payload)
    if (!fin) return
    const whole = Buffer.concat(this.#parts)
    this.#parts = []
    assert.equal(this.#partsOp, opcode.text, `a message with opcode ${this.#partsOp}`)
    const raw = utf8.decode(whole)
    const frame = Object.defineProperty(JSON.parse(raw), 'raw', { value: raw })
    this.put(frame)
  }

  #control(op, payload) {
    if (op === opcode.ping) {
      this.pings += 1
      if (this.answersPings) this.sendFrame({ op: opcode.pong, payload })
    } else if (op === opcode.pong) {
      this.pongs.push(payload.toString('latin1'))
    } else {
      assert.equal(op, opcode.close, 'an opcode that does not exist')
      assert.notEqual(payload.length, 1, 'half a close code')
      const code = payload.length > 0 ? payload.readUInt16BE(0) : 1005
      this.closed = { code, reason: utf8.decode(payload.subarray(2)) }
      if (this.answersClose) this.sendFrame({ op: opcode.close, payload: payload.subarray(0, 2) })
      this.endItems(`the node closed with ${code} ${this.closed.reason}`)
    }
  }
}

const answers = new Set(['reply', 'error', 'pong', 'welcome'])
const utf8 = new TextDecoder('utf-8', { fatal: true })
