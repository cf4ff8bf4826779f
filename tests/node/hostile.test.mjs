// SPDX-License-Identifier: Apache-2.0
//
// Hostile heads and framing (lib/heads.mjs), each as the first and as the third request of a connection: refused and
// closed, and nothing behind them is served. What the HTTP library hides from us on later requests is listed below, and
// the same list stands in docs/operations.md. Meanwhile a good client is served, and afterwards nothing is left.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'

import { HEAD_BYTES_MAX, headOf, heads } from './lib/heads.mjs'
import { parseResponse } from './lib/socket.mjs'
import { suite } from './lib/suite.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const timeouts = ['--head-timeout', '1s', '--idle-timeout', '2s'] // what is never whole ends by one of them
const AT_ONCE = 8 // rows that run side by side

/** Heads that are served on a connection that the library owns already: it hides the byte that is wrong. */
const hiddenInHeads = new Set([
  'a folded Transfer-Encoding',
  'bare LF throughout',
  'bare LF after the request line',
  'bare LF after a header',
  'bare LF as the empty line',
  'NUL in a value',
  'NUL in the target',
  'an empty name',
  'a folded header',
  'a header folded by a tab',
  'two spaces before the target',
])

/** Bodies that are served on every connection. */
const hiddenInBodies = new Set(['bare LF after a chunk size', 'bare LF after a chunk'])

let node
let before_
let good

before(async () => {
  node = await start(suite, timeouts)
  await node.spawn('echo', { name: 'target' })
  await node.request('GET', '/version') // whatever is made on first use is there now
  before_ = { descriptors: node.descriptors(), memory: node.memory() }
  good = startGoodClient()
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

/** All that the node sent until it closed is one problem with this status. */
function assertRefused(bytes, row) {
  const { size, response } = parseResponse(bytes, 'POST', true)
  assert.equal(size, bytes.length, `more than one answer: ${bytes}`)
  assert.equal(response.status, row.status, response.text)
  assert.equal(response.type, 'application/problem+json')
  assert.equal(response.json.status, row.status)
  assert.ok(response.json.detail.length > 0)
}

/** Nothing was served before the node closed, and what it said, if it said anything, is a refusal that announces the
 *  close. The library's own pages are not judged further: some say their status line twice. */
function assertNotServed(bytes) {
  const text = bytes.toString('latin1')
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
  assert.deepEqual(
    statuses.filter((status) => status < 400),
    [],
    text,
  )
  if (text !== '') assert.match(text, /^connection: close\r$/im)
}

/** The library serves it. When this fails the byte is seen after all, and the row comes off the list. */
async function assertHidden(connection, row) {
  const response = await connection.response('POST')
  assert.ok(response.status < 300 || response.status === 404, `${row.name} is refused: ${response.status}`)
}

test('hostile input', { concurrency: AT_ONCE }, async (t) => {
  const rows = []
  for (const row of heads) {
    rows.push(
      t.test(`as the first request: ${row.name}`, async () => {
        const connection = await node.connect()
        connection.send(row.bytes)
        if (hiddenInBodies.has(row.name)) await assertHidden(connection, row)
        else if (row.isBody) assertNotServed(await connection.untilClosed())
        else assertRefused(await connection.untilClosed(), row)
        connection.close()
      }),
    )

    rows.push(
      t.test(`as the third request: ${row.name}`, async () => {
        const connection = await node.connect()
        for (let i = 0; i < 2; i++) assert.equal((await connection.request('GET', '/version')).status, 200)
        connection.send(row.bytes)
        if (hiddenInBodies.has(row.name) || hiddenInHeads.has(row.name)) await assertHidden(connection, row)
        else assertNotServed(await connection.untilClosed())
        connection.close()
      }),
    )
  }

  for (const requests of [0, 2]) {
    rows.push(
      t.test(`one byte after the other does not outlast the deadline, after ${requests} requests`, async () => {
        const connection = await node.connect()
        for (let i = 0; i < requests; i++) assert.equal((await connection.request('GET', '/version')).status, 200)
        const bytes = `GET /version HTTP/1.1\r\nHost: localhost\r\nX-A: ${'b'.repeat(1000)}`
        let sent = 0
        const drip = setInterval(() => connection.send(bytes[sent++]), 100)
        try {
          assertNotServed(await connection.untilClosed())
          assert.ok(sent < 200, `${sent} bytes were taken`)
        } finally {
          clearInterval(drip)
          connection.close()
        }
      }),
    )
  }
  await Promise.all(rows)
})

test('a head of exactly the limit is served, first and later', async () => {
  const connection = await node.connect()
  for (const where of ['target', 'header', 'target', 'header']) {
    const bytes = headOf(HEAD_BYTES_MAX, where)
    assert.equal(bytes.length, HEAD_BYTES_MAX)
    assert.equal((await connection.send(bytes).response()).status, 200)
  }
  connection.close()
})

test('the largest head, of the most fields and parameters, leaves room for a body and an answer', async () => {
  const connection = await node.connect()
  const body = JSON.stringify({ behavior: 'kv', args: {} }).padEnd(1 << 18)
  const query = Array.from({ length: 16 }, (_, i) => `unknown${i}=${i}`).join('&')
  for (let i = 0; i < 2; i++) {
    for (const [target, status] of [['/v1/actors', 201], [`/v1/actors?${query}`, 400]]) {
      const fields = [`POST ${target} HTTP/1.1`, 'Host: localhost', `Content-Length: ${body.length}`,
        'Content-Type: application/json', ...Array.from({ length: 96 }, (_, k) => `x-${k}: v`)]
      const rest = HEAD_BYTES_MAX - fields.join('\r\n').length - '\r\nbig: \r\n\r\n'.length
      const bytes = `${fields.join('\r\n')}\r\nbig: ${'a'.repeat(rest)}\r\n\r\n`
      assert.equal(bytes.length, HEAD_BYTES_MAX)
      const response = await connection.send(bytes + body).response()
      assert.equal(response.status, status, response.text)
    }
  }
  connection.close()
})

test('a query of thousands of parameters without a name is read over, first and later', async () => {
  const connection = await node.connect()
  for (let i = 0; i < 3; i++) {
    const response = await connection.request('GET', `/version?${'&'.repeat(10_000)}`)
    assert.equal(response.status, 200, response.text)
  }
  connection.close()
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
  assert.deepEqual(listed.sort(), [...hiddenInHeads, ...hiddenInBodies].sort())
})
