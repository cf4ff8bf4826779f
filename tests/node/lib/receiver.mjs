// SPDX-License-Identifier: Apache-2.0
//
// What the clients of WebSocket and of event streams are both made of: a socket that HTTP gave away, the items that
// come on it, and its end. An heir says in read() how the bytes in `received` become items.

import { Inbox } from './inbox.mjs'
import { deferred, within } from './wait.mjs'

export class Receiver {
  #socket
  #broken
  #ended = deferred()
  #sent = Promise.resolve()
  #inbox = new Inbox()

  received = Buffer.alloc(0) // and not read yet
  history = []               // every item that came
  isOver = false
  fault = null               // what the node did against the protocol

  /** `broken` begins the sentence about a fault. */
  constructor(broken) {
    this.#broken = broken
  }

  /** Start to read what Connection.release() gave; `over` says what its end is. */
  begin({ socket, rest }, over) {
    this.#socket = socket
    socket.on('data', (data) => this.#take(data))
    for (const event of ['end', 'error', 'close']) socket.on(event, () => this.#over(over))
    this.#take(rest)
    socket.resume()
  }

  #take(data) {
    this.received = Buffer.concat([this.received, data])
    try {
      this.read()
    } catch (error) {
      this.fault = `${this.#broken}: ${error.message}`
      this.#over(this.fault)
      this.abort()
    }
  }

  #over(why) {
    if (this.isOver) return
    this.isOver = true
    this.endItems(why)
    this.#ended.resolve()
    this.#socket.end()
  }

  // ---- for heirs ----

  /** An item came. */
  put(item) {
    this.history.push(item)
    this.#inbox.put(item)
  }

  /** No item comes any more. */
  endItems(why) {
    this.#inbox.end(why)
  }

  /** Wait for the end of the connection. */
  async untilOver(what, deadlineMs) {
    await within(this.#ended.promise, what, deadlineMs)
    if (this.fault) throw new Error(this.fault)
  }

  // ---- for tests ----

  /** The next item that fits: a function, or members such as {op: 'down'}. */
  next(wanted = () => true, deadlineMs = undefined) {
    return this.#inbox.take(wanted, deadlineMs)
  }

  /** Items that came and that nobody took. */
  get untaken() {
    return this.#inbox.items
  }

  /** Bytes as they are. */
  write(bytes) {
    if (!this.#socket.destroyed) this.#sent = new Promise((resolve) => this.#socket.write(bytes, resolve))
    return this
  }

  /** Wait until what was sent has left this process, or the connection is over. */
  async flushed(deadlineMs) {
    await within(Promise.race([this.#sent, this.#ended.promise]), 'the node to read', deadlineMs)
  }

  /** Bytes that the kernel has not taken yet. */
  get unsent() {
    return this.#socket.writableLength
  }

  /** Read nothing any more, until resume(). */
  pause() {
    this.#socket.pause()
    return this
  }

  resume() {
    this.#socket.resume()
    return this
  }

  /** Say by TCP that nothing more comes, and go on reading. */
  finish() {
    this.#socket.end()
    return this
  }

  /** Go without a word; with reset: true the other side sees a reset. */
  abort({ reset = false } = {}) {
    if (reset) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }
}
