// SPDX-License-Identifier: Apache-2.0
//
// The API document that a real node serves, judged by @redocly/cli, which LINT/node_modules holds (./x test lint).

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { start } from '../node/lib/trouped.mjs'

if (!process.env.LINT) throw new Error('LINT must name the folder that holds node_modules, for example LINT=build/lint')

const redocly = path.join(process.env.LINT, 'node_modules/.bin/redocly')
const config = fileURLToPath(new URL('redocly.yaml', import.meta.url))
const env = { ...process.env, REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', REDOCLY_TELEMETRY: 'off' }

function lint(file) {
  return new Promise((resolve) => {
    execFile(redocly, ['lint', '--config', config, file], { env }, (error, stdout, stderr) => {
      resolve({ isClean: error === null, text: stdout + stderr })
    })
  })
}

test('the OpenAPI document is clean, and the linter would tell', async (t) => {
  const node = await start(t)
  const document = (await node.request('GET', '/openapi.json')).json
  const file = path.join(node.folder, 'openapi.json')

  writeFileSync(file, JSON.stringify(document))
  const found = await lint(file)
  assert.ok(found.isClean, found.text)

  delete document.info.title
  writeFileSync(file, JSON.stringify(document))
  const planted = await lint(file)
  assert.ok(!planted.isClean && planted.text.includes('title'), planted.text)
})
