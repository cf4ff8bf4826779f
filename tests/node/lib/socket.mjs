// SPDX-License-Identifier: Apache-2.0
//
// A raw socket that speaks HTTP/1.1 as exactly as the test wants: bytes out as given, responses in by a small strict
// parser. An HTTP library would repair, refuse or pool what these tests are about.

import net from 'node:net'

import { DEADLINE_MS, deferred, within } from './wait.mjs'

const bytes = (data) => (typeof data === 'string' ? Buffer.from(data, 'latin1') : data)

export class Connection {
  #socket
  #received = Buffer.alloc(0)
  #over = false
  #sent = Promise.resolve()
  #ended = deferred()
  #wake = deferred()

  /** Connect to a port of this machine. */
  static open(port, host = '127.0.0.1') {
    return Connection.#connect({ port, host, noDelay: true }, `port ${port}`)
  }

  /** Connect to a unix socket. */
  static openPath(path) {
    return Connection.#connect({ path }, path)
  }

  static async #connect(options, name) {
    const socket = net.connect({ ...options, allowHalfOpen: true })
    const connected = deferred()
    socket.once('connect', connected.resolve)
    socket.once('error', connected.reject)
    await within(connected.promise, `connect to ${name}`)
    return new Connection(socket)
  }

  constructor(socket) {
    this.#socket = socket
    const wake = () => {
      this.#wake.resolve()
      this.#wake = deferred()
    }
    const over = () => {
      this.#over = true
      this.#ended.resolve()
      wake()
    }
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data])
      wake()
    })
    socket.on('end', over)
    socket.on('error', over) // a reset is an end; tests that mind look at what was received
    socket.on('close', over)
  }

  send(data) {
    if (!this.#socket.destroyed) this.#sent = new Promise((resolve) => this.#socket.write(bytes(data), resolve))
    return this
  }

  /** Wait until what was sent has left, or the connection is over. */
  async flushed() {
    await within(Promise.race([this.#sent, this.#ended.promise]), 'the node to read')
  }

  /** Has the other side closed? */
  get isOver() {
    return this.#over
  }

  /** Wait until the other side closes; everything that is left unread. */
  async untilClosed(deadlineMs = DEADLINE_MS) {
    const wait = async () => {
      while (!this.#over) await this.#wake.promise
    }
    await within(
      wait(),
      `close by the node after ${JSON.stringify(this.#received.toString('latin1', 0, 300))}`,
      deadlineMs,
    )
    return this.#received
  }

  /** Read exactly this text. */
  async receive(text, deadlineMs = DEADLINE_MS) {
    const read = async () => {
      while (this.#received.length < text.length && !this.#over) await this.#wake.promise
    }
    await within(read(), JSON.stringify(text), deadlineMs)
    const got = this.#received.toString('latin1', 0, text.length)
    if (got !== text) throw new Error(`got ${JSON.stringify(got)} instead of ${JSON.stringify(text)}`)
    this.#received = this.#received.subarray(text.length)
  }

  /** Read the next response. To a HEAD there is no body. */
  async response(method = 'GET', deadlineMs = DEADLINE_MS) {
    const { response, size } = await this.#parsed(method, `a response to a ${method}`, deadlineMs)
    this.#received = this.#received.subarray(size)
    return response
  }

  /** The head of the next response, which stays unread: a Response without its content, and its size. */
  async head(deadlineMs = DEADLINE_MS) {
    const { response, size } = await this.#parsed('HEAD', 'the head of a response', deadlineMs)
    return Object.assign(response, { size })
  }

  /** The next response, which stays unread: {response, size}. */
  #parsed(method, what, deadlineMs) {
    const read = async () => {
      for (;;) {
        const parsed = parseResponse(this.#received, method, this.#over)
        if (parsed) return parsed
        if (this.#over)
          throw new Error(`closed instead of ${what}; got ${JSON.stringify(this.#received.toString('latin1'))}`)
        await this.#wake.promise
      }
    }
    return within(read(), what, deadlineMs)
  }

  /** Give the socket away, paused, with what it has received after `skip` bytes: another protocol goes on. */
  release(skip = 0) {
    this.#socket.pause()
    for (const event of ['data', 'end', 'error', 'close']) this.#socket.removeAllListeners(event)
    return { socket: this.#socket, rest: this.#received.subarray(skip) }
  }

  /** Send a request and read its response. */
  async request(method, target, options = {}) {
    this.send(requestBytes(method, target, options))
    return this.response(method, options.deadlineMs)
  }

  /** Say that nothing more comes, and go on reading. */
  finish() {
    this.#socket.end()
    return this
  }

  /** Go without a word; with reset: true the other side sees a reset. */
  close({ reset = false } = {}) {
    if (reset) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }
}

/** A request, byte by byte. headers: [name, value] pairs; Host and Content-Length are added unless they are given. */
export function requestBytes(method, target, { headers = [], body, host = '127.0.0.1' } = {}) {
  const has = (name) => headers.some(([given]) => given.toLowerCase() === name)
  const all = [...headers]
  if (!has('host')) all.unshift(['Host', host])
  const payload = body === undefined ? Buffer.alloc(0) : Buffer.from(body)
  if (body !== undefined && !has('content-length') && !has('transfer-encoding'))
    all.push(['Content-Length', payload.length])
  const head = `${method} ${target} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), payload])
}

/** The first response in data, or null when it is not whole. Throws when it is not HTTP/1.1. */
export function parseResponse(data, method, isOver) {
  const end = data.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [statusLine, ...lines] = data.toString('latin1', 0, end).split('\r\n')
  const match = /^HTTP\/1\.1 (\d{3}) ([\t\x20-\x7e]*)$/.exec(statusLine)
  if (!match) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`)
  const headers = new Map()
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line)
    if (!field) throw new Error(`not a header: ${JSON.stringify(line)}`)
    const name = field[1].toLowerCase()
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${field[2]}` : field[2])
  }
  const status = Number(match[1])
  if (status === 100) return parseResponseAfter(data, end + 4, method, isOver)
  const body = parseBody(data, end + 4, status, headers, method, isOver)
  return body && { size: body.size, response: new Response(status, headers, body.content) }
}

function parseResponseAfter(data, offset, method, isOver) {
  const next = parseResponse(data.subarray(offset), method, isOver)
  return next && { size: next.size + offset, response: next.response }
}

function parseBody(data, start, status, headers, method, isOver) {
  if (method === 'HEAD' || [101, 204, 304].includes(status)) return { size: start, content: Buffer.alloc(0) }
  if (headers.get('transfer-encoding') === 'chunked') return parseChunks(data, start)
  if (headers.has('content-length')) {
    const length = headers.get('content-length')
    if (!/^\d+$/.test(length)) throw new Error(`Content-Length: ${length}`)
    const size = start + Number(length)
    return data.length < size ? null : { size, content: Buffer.from(data.subarray(start, size)) }
  }
  return isOver ? { size: data.length, content: Buffer.from(data.subarray(start)) } : null
}

function parseChunks(data, start) {
  const parts = []
  for (let at = start; ;) {
    const end = data.indexOf('\r\n', at)
    if (end < 0) return null
    const size = parseInt(data.toString('latin1', at, end), 16)
    if (data.length < end + 2 + size + 2) return null
    parts.push(data.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
    if (size === 0) return { size: at, content: Buffer.concat(parts) }
  }
}

class Response {
  constructor(status, headers, content) {
    this.status = status
    this.headers = headers
    this.content = content
  }

  get text() {
    return this.content.toString('utf8')
  }

  get json() {
    return JSON.parse(this.text)
  }

  /** The content type without its parameters; '' when there is none. */
  get type() {
    return (this.headers.get('content-type') ?? '').split(';')[0].trim()
  }
}
