// SPDX-License-Identifier: Apache-2.0
//
// The commands in the documents are run, and their output is compared with what the document says.
//
//   ```sh                                 is run; the shell, and what it has set, lasts for the whole document
//   ```text or ```json right behind it    is what it prints (lib/expect.mjs says how it is compared)
//   <!-- docs-test: skip REASON -->       above a block: it is not run
//   <!-- docs-test: exit N -->            above a block: its last command ends with this status, not with 0
//   <!-- docs-test: background -->        above a block: it starts a node that runs until the document ends
//   <!-- docs-test: file NAME -->         above a block of another language: it is saved under this name. A document with
//                                         such blocks is followed with Troupe installed, by make install, not in build/

import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'

import { run } from '../node/lib/trouped.mjs'
import { misfit } from './lib/expect.mjs'
import { install } from './lib/install.mjs'
import { blocksOf, documents, read } from './lib/markdown.mjs'
import { runBlocks } from './lib/shell.mjs'

if (!process.env.TROUPE) throw new Error('TROUPE must name the program, for example TROUPE=build/troupe')

const SKIPPED_MAX = 4 // what is not run is not known to be true

/** The blocks that are commands, each with the block of output behind it, if any. */
function examplesOf(document) {
  const blocks = blocksOf(read(document))
  return blocks.map((block, i) => {
    const next = blocks[i + 1]
    const isOutput = next?.follows && (next.language === 'text' || next.language === 'json')
    return { ...block, expected: isOutput ? next : null }
  }).filter((block) => block.language === 'sh')
}

/** The blocks that the reader is told to save: {name, text}. */
const filesOf = (document) => blocksOf(read(document)).flatMap(({ directive, text }) => {
  const name = /^file (\S+)$/.exec(directive ?? '')?.[1]
  return name ? [{ name, text: `${text}\n` }] : []
})

const isSkipped = (example) => /^skip\b/.test(example.directive ?? '')

async function startNode(t) {
  const node = run(t, ['--announce', 'json'])
  node.api = JSON.parse(await node.line((line) => line.startsWith('{'))).api
  return node
}

function check(example, result) {
  const wanted = Number(/^exit (\d+)$/.exec(example.directive ?? '')?.[1] ?? 0)
  assert.notEqual(result.output, undefined, 'the shell did not come this far')
  assert.equal(result.status, wanted, `it ended with ${result.status}:\n${result.output}`)
  if (!example.expected) return
  const words = misfit(example.expected.language, example.expected.text, result.output)
  assert.equal(words, null, `${words}\nThe output was:\n${result.output}`)
}

for (const document of documents()) {
  const examples = examplesOf(document).filter((example) => !isSkipped(example))
  if (examples.length === 0) continue
  test(document, async (t) => {
    const node = await startNode(t)
    const files = filesOf(document)
    const installed = files.length > 0 ? install(path.join(node.folder, 'installed')) : null
    const results = await runBlocks(examples, { url: node.api, folder: node.folder, files, installed })
    for (const [i, example] of examples.entries()) {
      await t.test(`${document}:${example.line}`, () => check(example, results[i]))
    }
  })
}

test('README.md and docs/api.md have commands that are run', () => {
  for (const document of ['README.md', 'docs/api.md', 'docs/operations.md']) {
    assert.ok(examplesOf(document).some((example) => !isSkipped(example) && example.expected), document)
  }
})

test('the ten minutes of docs/writing-a-behavior.md write files, compile, test and load them', () => {
  assert.deepEqual(filesOf('docs/writing-a-behavior.md').map((file) => file.name), ['greeter.c', 'test_greeter.c'])
  const commands = examplesOf('docs/writing-a-behavior.md').map((example) => example.text).join('\n')
  for (const word of ['-shared', './test_greeter', '--behavior', 'kill -HUP']) assert.ok(commands.includes(word), word)
})

test('docs/examples/ has the files that docs/writing-a-behavior.md tells to save', () => {
  for (const { name, text } of filesOf('docs/writing-a-behavior.md')) {
    assert.equal(read(`docs/examples/${name}`).replace(/^\/\*[^]*?\*\/\n/, ''), text, name)
  }
})

test('few commands are skipped, each with its reason', () => {
  const skipped = documents().flatMap((document) => examplesOf(document)).filter(isSkipped)
  for (const example of skipped) assert.match(example.directive, /^skip .{10,}/)
  assert.ok(skipped.length <= SKIPPED_MAX, `${skipped.length} are skipped`)
})

test('a directive is one that is known, above a block of commands', () => {
  for (const document of documents()) {
    const text = read(document)
    const directives = [...text.matchAll(/^<!-- docs-test: (.*) -->$/gm)].map((match) => match[1])
    const used = blocksOf(text).filter(({ language, directive }) => language === 'sh' || /^file /.test(directive ?? ''))
      .map((block) => block.directive).filter((directive) => directive !== null)
    assert.deepEqual(directives, used, `${document}: a directive stands above something else`)
    for (const directive of directives) assert.match(directive, /^(skip .+|exit \d+|background|file [\w.-]+)$/, document)
  }
})
