// SPDX-License-Identifier: Apache-2.0
//
// A source that no fragment of the Makefile names is not built, not distributed, and if it is a test, not run: silently.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const top = fileURLToPath(new URL('../../', import.meta.url))
const folders = ['actors', 'client_lib', 'server', 'tests', 'web_ui']
const isSource = /\.(c|h|def|html|css|svg)$/

function filesBelow(folder) {
  return readdirSync(path.join(top, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`
    return entry.isDirectory() ? filesBelow(name) : isSource.test(name) ? [name] : []
  })
}

test('every source is in a fragment of the Makefile', () => {
  const fragments = folders.map((folder) => readFileSync(path.join(top, folder, `${folder}.am`), 'utf8')).join('\n')
  const named = new Set(fragments.match(/[\w./-]+/g))
  const isNamed = (file) => named.has(file) || named.has(file.replace(/\.c$/, '')) // a program of one file
  const files = folders.flatMap(filesBelow)

  assert.ok(files.length > 100, 'the sources were found')
  assert.deepEqual(files.filter((file) => !isNamed(file)), [])
})
