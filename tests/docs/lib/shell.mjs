// SPDX-License-Identifier: Apache-2.0
//
// Runs the commands of a document as its reader would: one shell from top to bottom, in a folder with nothing in it but
// build/trouped and build/troupe, which are also in the PATH, beside one node, whose address stands for the example's. A
// reader who has installed Troupe has that in the PATH instead, and the files that the document has told him to save.

import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { DEADLINE_MS } from '../../node/lib/wait.mjs'

export const EXAMPLE_URL = 'http://127.0.0.1:41873'

const MARK = '\x1e' // between the outputs of two blocks

/** The output and the exit status of each block. */
export async function runBlocks(blocks, { url, folder, files = [], installed = null }) {
  const home = path.join(folder, 'reader')
  const build = path.join(home, 'build')
  mkdirSync(build, { recursive: true })
  for (const program of ['TROUPED', 'TROUPE']) {
    const target = path.resolve(process.env[program])
    symlinkSync(target, path.join(build, program.toLowerCase()))
  }
  writeFileSync(path.join(home, '.curlrc'), 'silent\nshow-error\nmax-time = 10\nwrite-out = "\\n"\n')
  const commands = blocks.map((block) => {
    const text = block.text.replaceAll(EXAMPLE_URL, url)
    return block.directive === 'background' ? inBackground(text) : text
  })
  const script = commands.map((text) => `${text}\nprintf '\\n${MARK}%d${MARK}' $?\n`)
  const own = { HOME: home, XDG_RUNTIME_DIR: folder, URL: url, TROUPE_URL: '', NO_PROXY: '*', LC_ALL: 'C' }
  const env = { ...process.env, ...own, ...installed?.env, PATH: `${installed?.bin ?? build}:${process.env.PATH}` }
  for (const { name, text } of files) writeFileSync(path.join(home, name), text)
  const start = "exec 2>&1\ntrap 'kill $background 2>/dev/null' EXIT\n"
  const output = await run(start + script.join(''), { cwd: home, env, timeout: 3 * DEADLINE_MS })
  const parts = output.split(MARK)
  return blocks.map((_, i) => ({ output: parts[2 * i], status: Number(parts[2 * i + 1]) }))
}

/** A node beside the shell, until the end of the document; its output up to the line that says that it is ready. */
const inBackground = (text) => `exec 9< <(exec ${text})
background="$background $!"
while read -r -u 9 line; do echo "$line"; case $line in *' is ready'*) break ;; esac; done`

function run(script, options) {
  return new Promise((resolve) => {
    const child = execFile('bash', ['-c', script], options, (_, stdout) => resolve(stdout)) // the marks tell a status
    child.stdin.end()
  })
}
