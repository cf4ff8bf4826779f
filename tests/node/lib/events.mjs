// SPDX-License-Identifier: Apache-2.0
//
// A client of event streams (text/event-stream, WHATWG HTML part 9.2), strict where a browser forgives.
//
//   const stream = await openEvents(node, '/v1/events?from=oldest')
//   const { id, event, json } = await stream.next({ event: 'node.up' })

import assert from 'node:assert/strict'

import { Receiver } from './receiver.mjs'
import { Connection, requestBytes } from './socket.mjs'

/** Ask for a stream on a new connection: {response, stream}; the stream is null when it was refused. */
export async function askEvents(node, target, { lastEventId, headers = [], ...options } = {}) {
  const connection = node.path ? await Connection.openPath(node.path) : await Connection.open(node.port)
  return askEventsOn(connection, target, { lastEventId, headers, ...options })
}

/** The same on a connection that may have served requests before. */
export async function askEventsOn(connection, target, { lastEventId, headers = [], ...options } = {}) {
  const all = [['Accept', 'text/event-stream'], ...headers]
  if (lastEventId !== undefined) all.push(['Last-Event-ID', lastEventId])
  connection.send(requestBytes('GET', target, { ...options, headers: all }))
  const response = await connection.head()
  if (response.status !== 200) return { response: await connection.response(), stream: null }
  const isChunked = response.headers.get('transfer-encoding') === 'chunked'
  return { response, stream: new EventStream(connection.release(response.size), isChunked) }
}

/** Open a stream; it must work. */
export async function openEvents(node, target, options) {
  const { response, stream } = await askEvents(node, target, options)
  assert.equal(response.status, 200, response.text)
  assert.equal(response.type, 'text/event-stream')
  return stream
}

class EventStream extends Receiver {
  #isChunked
  #text = Buffer.alloc(0)
  #event = null

  comments = []
  retry = undefined
  lastEventId = undefined

  constructor(released, isChunked) {
    super('not an event stream')
    this.#isChunked = isChunked
    this.begin(released, 'the node ended the stream')
  }

  /** Wait until the node has ended the stream. */
  untilEnded(deadlineMs) {
    return this.untilOver('the end of the event stream', deadlineMs)
  }

  close(options) {
    this.abort(options)
  }

  read() {
    this.#unframe()
    this.#lines()
  }

  #unframe() {
    if (!this.#isChunked) {
      this.#text = Buffer.concat([this.#text, this.received])
      this.received = Buffer.alloc(0)
      return
    }
    for (;;) {
      const end = this.received.indexOf('\r\n')
      if (end < 0) return
      const size = this.received.toString('latin1', 0, end)
      assert.match(size, /^[0-9a-fA-F]+$/, 'the size of a chunk')
      const next = end + 2 + parseInt(size, 16)
      if (this.received.length < next + 2) return
      this.#text = Buffer.concat([this.#text, this.received.subarray(end + 2, next)])
      assert.equal(this.received.toString('latin1', next, next + 2), '\r\n', 'the end of a chunk')
      this.received = this.received.subarray(next + 2)
    }
  }

  #lines() {
    for (;;) {
      const end = this.#text.indexOf(10)
      if (end < 0) return
      const line = utf8.decode(this.#text.subarray(0, end))
      this.#text = this.#text.subarray(end + 1)
      assert.ok(!line.includes('\r'), `CR in ${JSON.stringify(line)}`)
      this.#line(line)
    }
  }

  #line(line) {
    if (line === '') return this.#dispatch()
    if (line.startsWith(':')) return void this.comments.push(line.slice(1).trim())
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? assert.fail(`not a line of a stream: ${line}`)
    if (name === 'retry') return void (this.retry = Number(value))
    assert.ok(['id', 'event', 'data'].includes(name), `no such field: ${name}`)
    this.#event ??= { data: undefined }
    if (name === 'data') {
      this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`
    } else {
      assert.equal(this.#event[name], undefined, `${name} came twice`)
      this.#event[name] = value
    }
  }

  #dispatch() {
    const event = this.#event
    this.#event = null
    if (!event) return // an empty line after a comment or retry
    assert.notEqual(event.data, undefined, 'a browser drops an event without data')
    if (event.id !== undefined) this.lastEventId = event.id
    Object.defineProperty(event, 'json', { get: () => JSON.parse(event.data) })
    this.put(event)
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
