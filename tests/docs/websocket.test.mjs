// SPDX-License-Identifier: Apache-2.0
//
// docs/websocket.md against a real node: its frames are sent and awaited in one session, from top to bottom; it has
// every operation and member of /asyncapi.json; and the Python client that it shows is the one in docs/examples, which
// runs.
//
//   ```frames
//   > {...}     is sent
//   < {...}     is the next frame that comes, compared like ```json (lib/expect.mjs)
//   <* {...}    the same, in any order with the <* lines beside it

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { before, test } from 'node:test'
import { promisify } from 'node:util'

import { start } from '../node/lib/trouped.mjs'
import { DEADLINE_MS } from '../node/lib/wait.mjs'
import { openWebSocket } from '../node/lib/websocket.mjs'
import { misfit } from './lib/expect.mjs'
import { blocksOf, read, sectionOf, top, wordsOf } from './lib/markdown.mjs'

const document = read('docs/websocket.md')
const blocks = blocksOf(document)
let description

before(async () => {
  const cleanups = []
  const node = await start({ after: (fn) => cleanups.push(fn) })
  description = (await node.request('GET', '/asyncapi.json')).json
  for (const cleanup of cleanups.reverse()) await cleanup()
})

/** The lines of all blocks of frames: {line, kind, text}. */
const lines = blocks.filter((block) => block.language === 'frames').flatMap((block) =>
  block.text.split('\n').map((line, i) => {
    const match = /^(>|<\*?) (\{.*\})$/.exec(line)
    assert.ok(match, `docs/websocket.md:${block.line + 1 + i}: ${line}`)
    return { line: block.line + 1 + i, kind: match[1], text: match[2] }
  }))

test('the frames of docs/websocket.md are sent, and what comes is what it says', async (t) => {
  const client = await openWebSocket(await start(t))
  let loose = [] // <* lines that nothing has come for yet
  for (const { line, kind, text } of lines) {
    if (kind === '>') {
      assert.deepEqual(loose, [], `docs/websocket.md:${line}: before this`)
      client.sendText(text)
      continue
    }
    if (kind === '<*' && loose.length === 0) {
      const from = lines.findIndex((other) => other.line === line)
      const rest = lines.slice(from)
      const end = rest.findIndex((other) => other.kind !== '<*')
      loose = rest.slice(0, end < 0 ? undefined : end).map((other) => other.text)
    }
    const { raw } = await client.next()
    if (kind === '<') {
      assert.equal(misfit('json', text, raw), null, `docs/websocket.md:${line}: ${raw}`)
    } else {
      const at = loose.findIndex((expected) => misfit('json', expected, raw) === null)
      assert.ok(at >= 0, `docs/websocket.md:${line}: ${raw}`)
      loose.splice(at, 1)
    }
  }
  await client.untilClosed()
  assert.equal(client.closed.code, 1000)
})

test('docs/websocket.md has every operation of a client with its members, and shows most', () => {
  const operations = Object.entries(description.operations).filter(([, operation]) => operation.action === 'receive')
  assert.ok(operations.length > 10, `only ${operations.length} were read`)
  for (const [name] of operations) {
    const words = wordsOf(sectionOf(document, name)).join(' ')
    const { properties } = description.components.messages[name].payload
    const isNamed = (member) => member === 'op' || new RegExp(`\\b${member}\\b`).test(words)
    const missing = Object.keys(properties).filter((member) => !isNamed(member))
    assert.deepEqual(missing, [], `${name}: ${missing}`)
    assert.ok(lines.some(({ kind, text }) => kind === '>' && JSON.parse(text).op === name), `${name} has no example`)
  }
  const titles = [...document.matchAll(/^### (\w+)$/gm)].map((match) => match[1])
  assert.deepEqual(titles.sort(), operations.map(([name]) => name).sort())
})

test('docs/websocket.md names every frame of the node', () => {
  for (const [name, operation] of Object.entries(description.operations)) {
    const { op } = description.components.messages[name].payload.properties
    if (operation.action === 'send') assert.ok(wordsOf(document).includes(op.const), op.const)
  }
})

test('the Python client of docs/websocket.md is the file, and runs', async (t) => {
  const file = 'docs/examples/troupe_client.py'
  assert.equal(blocks.find((block) => block.language === 'python').text, read(file).trimEnd())
  const session = blocks.find((block) => block.language === 'console').text
  const [command, ...output] = session.split('\n')
  assert.equal(command, `$ python3 ${file} http://127.0.0.1:41873`)
  const node = await start(t)
  const { stdout } = await promisify(execFile)('python3', [path.join(top, file), node.api], { timeout: DEADLINE_MS })
  assert.equal(misfit('text', output.join('\n'), stdout.trimEnd()), null, stdout)
})
