// SPDX-License-Identifier: Apache-2.0
//
// Hosts the wasm module (actors/src/port/exports_wasm.c) for the tests, on virtual time: a call that waits for a
// deadline makes the clock jump to it, so that no test waits for real. A trap ends the instance: whoever waits is told
// the trap, and every later use throws it.
import { readFileSync } from 'node:fs'

export const wasmFile = process.env.TROUPE_WASM ?? 'build/actors.wasm'

const STOP_MODES = { stop: 0, drain: 1, kill: 2 }
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function loadModule() {
  return new WebAssembly.Module(readFileSync(wasmFile))
}

export class WasmHost {
  constructor(module, { seed = 1, actorsMax = 10_000, memoryMax = 0 } = {}) {
    this.nowMs = 1000
    this.logs = []
    this.trap = null
    this.waiting = new Map() // request number -> result, null while it is open
    this.lastRequest = 0
    const env = {
      done: (request, error, head, headLen, body, bodyLen) => {
        if (this.waiting.get(request) !== null) throw new Error(`request ${request} is done, but was not open`)
        const parsed = JSON.parse(this.#text(head, headLen))
        this.waiting.set(request, error === 0
          ? { ...parsed, body: this.#text(body, bodyLen), contentType: parsed.content_type ?? 'application/json' }
          : { error: { number: error, ...parsed } })
      },
      log: (level, text, len) => this.logs.push({ level, text: this.#text(text, len) }),
    }
    this.exports = new WebAssembly.Instance(module, { env }).exports
    const rc = this.#enter('troupe_wasm_new', seed, actorsMax, memoryMax)
    if (rc !== 0) throw new Error(`troupe_wasm_new: ${rc}`)
  }

  #text(ptr, len) {
    return decoder.decode(new Uint8Array(this.exports.memory.buffer, ptr, len)) // a new view: the memory may have grown
  }

  /** Call an export; a trap is kept and thrown, now and at each later use. */
  #enter(name, ...args) {
    if (this.trap) throw this.trap
    try {
      return this.exports[name](...args)
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) this.trap = error
      throw error
    }
  }

  /** Call an export with texts, each given as pointer and length, that live until it returns. */
  #withTexts(name, before, texts, after) {
    const held = []
    try {
      const args = []
      for (const text of texts) {
        const bytes = encoder.encode(text)
        const ptr = this.alloc(Math.max(bytes.length, 1))
        held.push([ptr, Math.max(bytes.length, 1)])
        new Uint8Array(this.exports.memory.buffer, ptr, bytes.length).set(bytes)
        args.push(ptr, bytes.length)
      }
      return this.#enter(name, ...before, ...args, ...after)
    } finally {
      if (!this.trap) for (const [ptr, len] of held) this.free(ptr, len)
    }
  }

  alloc(len) {
    const ptr = this.#enter('troupe_wasm_alloc', len) >>> 0
    if (ptr === 0) throw new Error(`no memory for ${len} bytes`)
    return ptr
  }

  free(ptr, len) {
    this.#enter('troupe_wasm_free', ptr, len)
  }

  /** Run what is due now; returns the ms until there is more. */
  poll() {
    return this.#enter('troupe_wasm_poll', this.nowMs)
  }

  /** Let virtual time go by, deadline by deadline. */
  async pass(ms) {
    const until = this.nowMs + ms
    for (;;) {
      const delay = this.poll()
      if (delay === 0) continue
      if (this.nowMs + delay > until) break
      this.nowMs += delay
    }
    this.nowMs = until
    this.poll()
  }

  now() {
    return this.nowMs
  }

  /** Begin a request and drive the system until it is done. */
  #request(name, texts, after) {
    const request = ++this.lastRequest
    this.waiting.set(request, null)
    try {
      const rc = this.#withTexts(name, [request], texts, after)
      if (rc !== 0) return this.#refused(rc)
      for (;;) {
        const result = this.waiting.get(request)
        if (result !== null) return result
        const delay = this.poll()
        if (delay === Infinity && this.waiting.get(request) === null) {
          throw new Error(`${name}: nothing is left to do and the request is still open`)
        }
        if (this.waiting.get(request) === null) this.nowMs += delay
      }
    } finally {
      this.waiting.delete(request)
    }
  }

  #refused(rc) {
    const ptr = this.#enter('troupe_wasm_error_code', rc)
    const bytes = new Uint8Array(this.exports.memory.buffer, ptr)
    return {
      error: {
        number: rc,
        code: decoder.decode(bytes.subarray(0, bytes.indexOf(0))),
        status: this.#enter('troupe_wasm_error_status', rc),
      },
    }
  }

  async spawn(spec, timeoutMs = 0) {
    return this.#request('troupe_wasm_spawn', [JSON.stringify(spec)], [timeoutMs])
  }

  async call(to, { type, body = '', contentType = 'application/json', timeoutMs = 0 }) {
    return this.#request('troupe_wasm_call', [to, type, contentType, body], [timeoutMs])
  }

  async stop(to, mode = 'stop', timeoutMs = 0) {
    return this.#request('troupe_wasm_stop', [to], [STOP_MODES[mode], timeoutMs])
  }

  async cast(to, { type, body = '', contentType = 'application/json' }) {
    const rc = this.#withTexts('troupe_wasm_cast', [], [to, type, contentType, body], [])
    return rc === 0 ? {} : this.#refused(rc)
  }

  actors() {
    return this.#enter('troupe_wasm_actors')
  }

  heapBytes() {
    return this.#enter('troupe_wasm_heap_bytes')
  }

  failAfter(n) {
    this.#enter('troupe_wasm_fail_after', n)
  }

  close() {
    this.#enter('troupe_wasm_end')
  }
}
