// SPDX-License-Identifier: Apache-2.0
//
// Hostile heads and framing (lib/heads.mjs), each as the first and as the third request of a connection: refused and
// closed, and nothing behind them is served. What the HTTP library hides from us on later requests is listed below, and
// the same list stands in docs/operations.md. Meanwhile a good client is served, and afterwards nothing is left.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

import { heads } from './lib/heads.mjs'
import { parseResponse } from './lib/socket.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const HEAD_TIMEOUT_MS = 1000
const AT_ONCE = 8 // rows that run side by side

/** Rows that are served on a connection that the library owns already: the library hides the byte. */
const hidden = new Set([])

let node
let before_
let good

const cleanups = []
const suite = { after: (fn) => cleanups.push(fn) } // what starts before the tests ends after them

before(async () => {
  node = await start(suite, ['--head-timeout', `${HEAD_TIMEOUT_MS}ms`])
  await node.spawn('echo', { name: 'target' })
  await node.request('GET', '/version') // whatever is made on first use is there now
  before_ = { descriptors: node.descriptors(), memory: node.memory() }
  good = startGoodClient()
})

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

/** One request after the other on one connection, until told to stop; each must be answered. */
function startGoodClient() {
  const client = { served: 0, isOver: false }
  client.done = (async () => {
    const connection = await node.connect()
    while (!client.isOver) {
      const response = await connection.request('POST', '/v1/actors/@target/call/echo', { body: '"hello"' })
      assert.equal(response.status, 200)
      assert.equal(response.text, '"hello"')
      client.served += 1
    }
    connection.close()
  })()
  client.done.catch(() => {}) // told by the test that asks for it
  return client
}

/** Every response in the bytes, in order. */
function responsesIn(bytes) {
  const found = []
  for (let rest = bytes; rest.length > 0; ) {
    const parsed = parseResponse(rest, 'POST', true)
    assert.ok(parsed, `half a response: ${JSON.stringify(rest.toString('latin1', 0, 300))}`)
    found.push(parsed.response)
    rest = rest.subarray(parsed.size)
  }
  return found
}

function assertRefusal(response, row, statuses) {
  assert.ok(statuses.includes(response.status), `${row.name}: ${response.status} ${response.text}`)
  if (response.type !== 'application/problem+json') return
  assert.equal(response.json.status, response.status)
  assert.ok(response.json.detail.length > 0)
}

test('hostile input', { concurrency: AT_ONCE }, async (t) => {
  const rows = []
  for (const row of heads) {
    rows.push(t.test(`as the first request: ${row.name}`, async () => {
      const connection = await node.connect()
      const responses = responsesIn(await connection.send(row.bytes).untilClosed())
      connection.close()
      assert.equal(responses.length, 1, `${row.name}: ${responses.map((one) => one.status)}`)
      assertRefusal(responses[0], row, [row.status])
    }))

    rows.push(t.test(`as the third request: ${row.name}`, async () => {
      const connection = await node.connect()
      for (let i = 0; i < 2; i++) assert.equal((await connection.request('GET', '/version')).status, 200)
      connection.send(row.bytes)
      if (hidden.has(row.name)) {
        assert.ok((await connection.response()).status < 400, `${row.name} is refused: take it off the list`)
        return connection.close()
      }
      const responses = responsesIn(await connection.untilClosed())
      connection.close()
      assert.ok(responses.length <= 1, `${row.name}: ${responses.map((one) => one.status)}`)
      for (const response of responses) assertRefusal(response, row, [400, 408, 413, 414, 431, 501, 505])
    }))
  }

  rows.push(t.test('one byte a second does not outlast the deadline for the head', async () => {
    const connection = await node.connect()
    const bytes = `GET /version HTTP/1.1\r\nHost: localhost\r\nX-A: ${'b'.repeat(100)}`
    let sent = 0
    const drip = setInterval(() => connection.send(bytes[sent++]), 100) // ten times as fast, for a tenth of the deadline
    try {
      const responses = responsesIn(await connection.untilClosed())
      assert.deepEqual(responses.map((one) => one.status), [408])
      assert.ok(sent < bytes.length, 'the deadline did not count from the first byte')
    } finally {
      clearInterval(drip)
      connection.close()
    }
  }))
  await Promise.all(rows)
})

test('a good client was served meanwhile', async () => {
  good.isOver = true
  await good.done
  assert.ok(good.served > heads.length, `only ${good.served} requests`)
})

test('afterwards descriptors and memory are back', async () => {
  await eventually(() => node.descriptors() <= before_.descriptors, 'descriptors are back')
  const grown = node.memory() - before_.memory
  assert.ok(grown < 64 << 20, `grown by ${grown} bytes`)
})

test('what the library hides is documented, and nothing else', () => {
  const docs = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const section = /^#+ What the HTTP library hides\n([^]*?)(?=^#|$(?![^]))/m.exec(docs)
  assert.ok(section, 'docs/operations.md has no section "What the HTTP library hides"')
  const listed = [...section[1].matchAll(/^[-*] `([^`]+)`/gm)].map((match) => match[1])
  assert.deepEqual(listed.sort(), [...hidden].sort())
})
