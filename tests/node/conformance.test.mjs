// SPDX-License-Identifier: Apache-2.0
//
// The standard behaviors in a node, through REST: the same table that the wasm module passes (tests/wasm), with time
// that is real. One node serves all cases.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { cases, runCase } from '../conformance/run.mjs'
import { suite } from './lib/suite.mjs'
import { start } from './lib/trouped.mjs'

class NodeHost {
  constructor(api) {
    this.api = api
  }

  async #fetch(method, path, { body, contentType } = {}) {
    const response = await fetch(`${this.api}${path}`, {
      method,
      body: body || undefined,
      headers: contentType === undefined ? {} : { 'Content-Type': contentType },
      signal: AbortSignal.timeout(30_000),
    })
    const text = await response.text()
    if (response.ok) return { response, body: text, contentType: response.headers.get('Content-Type') }
    assert.equal(response.headers.get('Content-Type'), 'application/problem+json', text)
    return { error: JSON.parse(text) }
  }

  async spawn(spec) {
    const body = JSON.stringify(spec)
    const result = await this.#fetch('POST', '/v1/actors', { body, contentType: 'application/json' })
    if (result.error) return result
    assert.equal(result.response.status, 201)
    return { ref: result.response.headers.get('Location').split('/').at(-1) }
  }

  call(to, { type, timeoutMs, ...message }) {
    const query = timeoutMs === undefined ? '' : `?timeout=${timeoutMs}ms`
    return this.#fetch('POST', `/v1/actors/${encodeURIComponent(to)}/call/${type}${query}`, message)
  }

  cast(to, { type, ...message }) {
    return this.#fetch('POST', `/v1/actors/${encodeURIComponent(to)}/cast/${type}`, message)
  }

  async stop(to, mode) {
    const result = await this.#fetch('DELETE', `/v1/actors/${encodeURIComponent(to)}?mode=${mode}`)
    if (!result.error) assert.equal(result.response.status, 204, 'it ended in time')
    return result
  }

  now() {
    return performance.now()
  }

  pass(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }
}

let host

before(async () => {
  const node = await start(suite)
  host = new NodeHost(node.api)
})

for (const entry of cases) test(entry.name, () => runCase(host, entry))
