// SPDX-License-Identifier: Apache-2.0
//
// What went wrong in other systems at their edges, named after the symptom; docs/compared.md lists all of them with the
// tests that are elsewhere.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'

import { temporaryFolder } from './lib/trouped.mjs'
import { within } from './lib/wait.mjs'

const HEAD_TIMEOUT_MS = 3000

/** Processor time that a process has used, in ms (a tick of the kernel is 10 ms). */
function busyMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** A node that may have so many descriptors. */
async function startWithFew(t, descriptors) {
  const folder = temporaryFolder(t)
  const limited = `ulimit -n ${descriptors}; exec "$0" --workers 1 --announce json --head-timeout ${HEAD_TIMEOUT_MS}ms`
  const child = spawn('sh', ['-c', limited, process.env.TROUPED],
    { cwd: folder, env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder }, stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise((resolve) => child.on('close', resolve))
  t.after(async () => {
    child.kill('SIGINT')
    await within(ended, 'the end of the node')
  })
  let stdout = ''
  const port = await within(new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
      if (stdout.includes('\n')) resolve(Number(new URL(JSON.parse(stdout.split('\n')[0]).api).port))
    })
    child.on('close', () => reject(new Error('it ended before it was ready')))
  }), 'a node that is ready')
  return { port, pid: child.pid }
}

test('accept errors spun: a node without a descriptor turns clients away, is idle meanwhile, and serves again', async (t) => {
  const node = await startWithFew(t, 64)
  const ends = []
  const turnedAway = new Promise((resolve) => {
    for (let i = 0; i < 100; i++) {
      const socket = net.connect(node.port, '127.0.0.1')
      t.after(() => socket.destroy())
      socket.on('error', () => {}).resume()
      ends.push(new Promise((over) => socket.on('close', over)))
      socket.on('close', resolve)
    }
  })
  const before = { at: performance.now(), busy: busyMs(node.pid) }
  await within(turnedAway, 'a client that is turned away')
  assert.ok(performance.now() - before.at < HEAD_TIMEOUT_MS, 'it was turned away, and not because it was silent')
  await within(Promise.all(ends), 'the end of all who say nothing')
  const took = performance.now() - before.at
  const busy = busyMs(node.pid) - before.busy
  assert.ok(took >= HEAD_TIMEOUT_MS * 0.9, `it took ${took} ms`)
  assert.ok(busy < took / 2, `busy for ${busy} of ${took} ms`)
  const answer = await fetch(`http://127.0.0.1:${node.port}/livez`)
  assert.equal(answer.status, 200)
})
