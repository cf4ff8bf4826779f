// SPDX-License-Identifier: Apache-2.0
//
// Every place that a document points at exists: linked files, headings behind a #, and paths in backticks.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { anchorsOf, documents, linksOf, read, top, wordsOf } from './lib/markdown.mjs'

const rooms = ['actors', 'client_lib', 'deploy', 'docs', 'm4', 'server', 'tests', 'web_ui', '.ci']

/** A path of the tree, and no pattern with a name to be filled in, such as tests/unit/test_NOUN.c. */
function isPath(word) {
  return rooms.includes(word.split('/')[0]) && word.includes('/') && /^[\w./*-]+$/.test(word) && !/[A-Z]{4}/.test(word)
}

function exists(word) {
  if (!word.includes('*')) return existsSync(path.join(top, word))
  const folder = path.join(top, path.dirname(word))
  const pattern = new RegExp(`^${path.basename(word).replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
  return existsSync(folder) && readdirSync(folder).some((name) => pattern.test(name))
}

function brokenLink(document, link) {
  if (/^(https?|mailto):/.test(link)) return false
  const [file, anchor] = link.split('#')
  const target = file === '' ? path.join(top, document) : path.resolve(top, path.dirname(document), file)
  if (!existsSync(target)) return true
  return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor)
}

for (const document of documents()) {
  test(document, () => {
    const text = read(document)
    assert.deepEqual(linksOf(text).filter((link) => brokenLink(document, link)), [], 'links that lead nowhere')
    assert.deepEqual(wordsOf(text).filter(isPath).filter((word) => !exists(word)), [], 'files that do not exist')
  })
}

test('the documents were found', () => {
  const found = documents()
  for (const document of ['README.md', 'CONTRIBUTING.md', 'docs/api.md']) assert.ok(found.includes(document), document)
})

test('README.md leads to every document, in steps', () => {
  const reached = new Set(['README.md'])
  for (const document of reached) {
    const linked = linksOf(read(document)).map((link) => path.posix.join(path.posix.dirname(document), link))
    for (const one of documents().filter((name) => linked.includes(name))) reached.add(one)
  }
  assert.deepEqual(documents().filter((document) => !reached.has(document)), [])
})
