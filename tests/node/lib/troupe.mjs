// SPDX-License-Identifier: Apache-2.0
//
// The CLI for a test: the program named by TROUPE, run to its end in a world without nodes and settings of its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { within } from './wait.mjs'

if (!process.env.TROUPE) throw new Error('TROUPE must name the program, for example TROUPE=build/troupe')

const nowhere = mkdtempSync(path.join(tmpdir(), 'troupe-test-'))
mkdirSync(path.join(nowhere, 'troupe'), { mode: 0o700 }) // else both programs turn to /tmp
process.on('exit', () => rmSync(nowhere, { recursive: true, force: true }))

/** Run `troupe` with these arguments; gives {code, signal, stdout, stderr}. */
export async function troupe(args, { env = {}, input = '' } = {}) {
  const isolated = { ...process.env, XDG_RUNTIME_DIR: nowhere, TROUPE_URL: '', ...env }
  const child = spawn(process.env.TROUPE, args, { env: isolated, stdio: 'pipe' })
  const result = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (result[name] += text))
  child.stdin.on('error', () => {}) // a program that does not read its input may end first
  child.stdin.end(input)
  try {
    const [code, signal] = await within(once(child, 'close'), `the end of troupe ${args.join(' ')}`)
    return { ...result, code, signal }
  } finally {
    child.kill('SIGKILL')
  }
}

/** `troupe` against one node. */
export const troupeAt =
  (url) =>
  (...args) =>
    troupe(['--url', url, ...args])

/** A stand-in for a node, for answers that no node gives: answer(request, response) for every request. */
export async function startStandIn(t, answer) {
  const server = http.createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections?.()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}
