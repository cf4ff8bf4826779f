// SPDX-License-Identifier: Apache-2.0
//
// The comparison itself: a test of the documents is worth what this refuses.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { misfit } from './lib/expect.mjs'
import { blocksOf, rowsOf, sectionOf } from './lib/markdown.mjs'

const fits = (language, expected, output) => assert.equal(misfit(language, expected, output), null)
const differs = (language, expected, output) => assert.equal(typeof misfit(language, expected, output), 'string')

test('text is compared line by line', () => {
  fits('text', 'one\ntwo', 'one\r\ntwo')
  differs('text', 'one\ntwo', 'one')
  differs('text', 'one', 'one\ntwo')
  differs('text', 'one.', 'one!')
  differs('text', '(a|b)*', 'a')
})

test('... stands for anything within a line, or for lines', () => {
  fits('text', 'a ... c', 'a b c')
  differs('text', 'a ... c', 'a b d')
  fits('text', 'first\n...\nlast', 'first\nx\ny\nlast')
  fits('text', 'first\n...', 'first')
  differs('text', 'first\n...\nlast', 'first\nx')
})

test('ids, addresses and times are compared by their form', () => {
  fits('text', 'n.4tq8v1m02x7kc.3f.1', 'n.fy66kp08g30sh.1.a')
  differs('text', 'n.4tq8v1m02x7kc.3f.1', 'n.fy66kp08g30sh')
  differs('text', 'n.4tq8v1m02x7kc', 'n.fy66kp08g30sh.1.1')
  fits('text', 'http://127.0.0.1:41873/v1', 'http://127.0.0.1:1024/v1')
  differs('text', 'http://127.0.0.1:41873', 'http://127.0.0.2:41873')
  fits('text', 'at 2026-01-02T03:04:05.678Z', 'at 1999-12-31T23:59:59.999Z')
  differs('text', 'at 2026-01-02T03:04:05.678Z', 'at noon')
})

test('json is compared as a document', () => {
  fits('json', '{"a": 1, "b": [true, null]}', '{"b":[true,null],"a":1}')
  differs('json', '{"a": 1}', '{"a":2}')
  differs('json', '{"a": 1}', '{"a":1,"b":2}')
  differs('json', '{"a": 1, "b": 2}', '{"a":1}')
  differs('json', '{"a": "1"}', '{"a":1}')
  differs('json', '[1, 2]', '[1]')
  differs('json', '{}', 'not json')
  differs('json', '{}', '')
})

test('... in json is any value, or more members', () => {
  fits('json', '{"a": ..., "b": 2}', '{"a":{"c":1},"b":2}')
  differs('json', '{"a": ..., "b": 2}', '{"b":2}')
  fits('json', '{"a": 1, ...}', '{"a":1,"b":2}')
  differs('json', '{"a": 1, ...}', '{"a":2,"b":2}')
  fits('json', '[1, ...]', '[1,2,3]')
  differs('json', '[1, ...]', '[2]')
  fits('json', '{"a": "x ... z"}', '{"a":"x y z"}')
  fits('json', '{"a": "\\"..."}', '{"a":"\\"quoted"}')
})

test('blocks know their directive and what they follow', () => {
  const commands = '<!-- docs-test: exit 2 -->\n```sh\nfalse\n```\n'
  const blocks = blocksOf(`a\n\n${commands}\n\`\`\`text\nno\n\`\`\`\nb\n\`\`\`json\n{}\n\`\`\`\n`)
  assert.deepEqual(blocks.map(({ language, directive, follows }) => [language, directive, follows]),
    [['sh', 'exit 2', false], ['text', null, true], ['json', null, false]])
  assert.throws(() => blocksOf('```sh\nnever ends'))
})

test('sections and tables', () => {
  const text = '## A\nx\n```sh\n# no heading\n```\n### B\n| h |\n|---|\n| `a\\|b` | c |\n## C\ny'
  assert.match(sectionOf(text, 'A'), /no heading[^]*### B/)
  assert.deepEqual(rowsOf(sectionOf(text, 'B')), [['a|b', 'c']])
  assert.throws(() => sectionOf(text, 'D'))
})
