// SPDX-License-Identifier: Apache-2.0
//
// Runs the commands of a document as its reader would: one shell from top to bottom, in a folder with nothing in it but
// build/trouped and build/troupe, which are also in the PATH, beside one node, whose address stands for the example's.

import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { DEADLINE_MS } from '../../node/lib/wait.mjs'

export const EXAMPLE_URL = 'http://127.0.0.1:41873'

const MARK = '\x1e' // between the outputs of two blocks

/** The output and the exit status of each block. */
export async function runBlocks(blocks, { url, folder }) {
  const home = path.join(folder, 'reader')
  const build = path.join(home, 'build')
  mkdirSync(build, { recursive: true })
  for (const program of ['TROUPED', 'TROUPE']) {
    const target = path.resolve(process.env[program])
    symlinkSync(target, path.join(build, program.toLowerCase()))
  }
  writeFileSync(path.join(home, '.curlrc'), 'silent\nshow-error\nmax-time = 10\nwrite-out = "\\n"\n')
  const commands = blocks.map((block) => block.text.replaceAll(EXAMPLE_URL, url))
  const script = commands.map((text) => `${text}\nprintf '\\n${MARK}%d${MARK}' $?\n`)
  const own = { HOME: home, XDG_RUNTIME_DIR: folder, URL: url, TROUPE_URL: '', NO_PROXY: '*', LC_ALL: 'C' }
  const env = { ...process.env, ...own, PATH: `${build}:${process.env.PATH}` }
  const output = await run(`exec 2>&1\n${script.join('')}`, { cwd: home, env, timeout: DEADLINE_MS })
  const parts = output.split(MARK)
  return blocks.map((_, i) => ({ output: parts[2 * i], status: Number(parts[2 * i + 1]) }))
}

function run(script, options) {
  return new Promise((resolve) => {
    const child = execFile('bash', ['-c', script], options, (_, stdout) => resolve(stdout)) // the marks tell a status
    child.stdin.end()
  })
}
