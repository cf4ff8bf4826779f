// SPDX-License-Identifier: Apache-2.0
//
// docs/state-machines.md in step with what it shows: its C is that of the door, and it names all that the header has.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { blocksOf, read } from './lib/markdown.mjs'

const page = read('docs/state-machines.md')

test('the C on the page is word for word that of the door', () => {
  const source = read('actors/behaviors/door.c')
  const blocks = blocksOf(page).filter((block) => block.language === 'c')
  assert.ok(blocks.length >= 2)
  for (const block of blocks) assert.ok(source.includes(block.text.trim()), `line ${block.line}: not in the source`)
})

test('the page names each function of the header, and none that is not there', () => {
  const functions = (text) => [...new Set(text.match(/\btroupe_machine_\w+(?=\()/g))].sort()
  const header = read('actors/include/troupe/machine.h')
  const named = [...new Set(page.match(/\btroupe_machine_\w+/g))].sort()
  const types = new Set(header.match(/\btroupe_machine_\w+/g))
  assert.ok(functions(header).length > 12)
  assert.deepEqual(functions(header).filter((name) => !named.includes(name)), [])
  assert.deepEqual(named.filter((name) => !types.has(name)), [])
})

test('the limits on the page are those of the header', () => {
  const header = read('actors/include/troupe/machine.h')
  assert.match(header, /TROUPE_MACHINE_TIMEOUTS_MAX 16u/)
  assert.match(page, /up to 16 at a time/)
  assert.match(header, /TROUPE_MACHINE_STEPS_MAX 1000u/)
  assert.match(page, /fails after 1,000 of/)
})
