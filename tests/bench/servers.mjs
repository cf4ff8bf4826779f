// SPDX-License-Identifier: Apache-2.0
//
// The servers that the REST bench compares, and the load it puts on them. What is started here is a child of this
// process and is ended by its own id; folders are made in the system's temporary folder and removed at the end.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const TICKS_PER_SECOND = 100 // USER_HZ, the unit of /proc/PID/stat on Linux
const START_MS = 10_000
const END_MS = 10_000
const CALL_LUA = fileURLToPath(new URL('call.lua', import.meta.url))

const children = new Set()
const folders = []

// Start a program with as many open files as it may have. The shell becomes the program, so its id is the program's.
export function start(program, args, options = {}) {
  const limit = 'ulimit -n 20000 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"'
  const child = spawn('sh', ['-c', limit, program, ...args], { stdio: 'pipe', ...options })
  child.said = ''
  child.stderr?.on('data', (text) => { child.said = (child.said + text).slice(-4000) })
  child.stdin?.on('error', () => {}) // it ended first
  children.add(child)
  child.on('exit', () => children.delete(child))
  child.name = path.basename(program)
  return child
}

// The next line of JSON that a program prints.
export async function announced(child) {
  child.lines ??= createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  for (;;) {
    const { value, done } = await deadline(child.lines.next(), START_MS, `${child.name} says nothing`)
    if (done) throw new Error(`${child.name} ended early: ${child.said}`)
    if (value.startsWith('{')) return JSON.parse(value)
  }
}

async function deadline(promise, ms, words) {
  let timer
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(words)), ms) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

export async function end(child) {
  if (!children.has(child)) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await deadline(gone, END_MS, 'late').catch(() => {
    child.kill('SIGKILL')
    return gone
  })
}

export async function endAll() {
  await Promise.all([...children].map(end))
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })))
}

async function newFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), 'troupe-bench-'))
  folders.push(folder)
  return folder
}

// ---- the three servers: each gives { name, pid, url } ----

export async function startBare(program) {
  const child = start(program, [])
  const { api } = await announced(child)
  return { name: 'libmicrohttpd', pid: child.pid, url: api, child }
}

export async function startTrouped(program) {
  const folder = await newFolder()
  const env = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder }
  const args = ['--announce', 'json', '--workers', '1', '--ports-file', path.join(folder, 'ports.json')]
  const child = start(program, args, { env, cwd: folder })
  const { api } = await announced(child)
  return { name: 'trouped', pid: child.pid, url: api, child }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

// nginx cannot be told "any port": one that is free now is tried, and another when it was taken meanwhile.
export async function startNginx(program = 'nginx') {
  const folder = await newFolder()
  for (let tries = 0; tries < 5; tries++) {
    const port = await freePort()
    await writeFile(path.join(folder, 'nginx.conf'), nginxConfig(folder, port))
    const child = start(program, ['-c', path.join(folder, 'nginx.conf'), '-e', path.join(folder, 'error.log')])
    const url = `http://127.0.0.1:${port}`
    if (await answers(child, url)) return { name: 'nginx', pid: child.pid, url, child }
    await end(child)
  }
  throw new Error(`nginx does not start: ${await readFile(path.join(folder, 'error.log'), 'utf8').catch(() => '')}`)
}

const nginxConfig = (folder, port) => `
daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 16384; multi_accept on; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 60s; default_type text/plain;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${port} backlog=4096; location / { return 200 "Hello world\\n"; } }
}
`

async function answers(child, url) {
  while (child.exitCode === null) {
    const answer = await fetch(url).catch(() => null)
    if (answer) {
      await answer.arrayBuffer()
      return child.exitCode === null
    }
    await Promise.race([once(child, 'exit'), new Promise((go) => setTimeout(go, 10))])
  }
  return false
}

// ---- load ----

// CPU seconds that a process has used, in user and system mode, all its threads.
function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // from field 3, the state
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

// Put load on a server by wrk with one thread; adds cpu_us, the server's CPU per request, and rate.
export async function load(target, { connections, seconds }) {
  const { server, method, path: route, body, spread } = target
  const call = [method, ...(body ? [body] : []), ...(spread ? [String(spread)] : [])]
  const before = cpuSeconds(server.pid)
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', CALL_LUA]
  const wrk = start('wrk', [...options, server.url + route, '--', ...call])
  let said = ''
  wrk.stdout.on('data', (text) => { said += text })
  await deadline(once(wrk, 'close'), (seconds + 30) * 1000, 'wrk does not end')
  const line = said.split('\n').find((text) => text.startsWith('{'))
  if (!line) throw new Error(`wrk failed: ${wrk.said || said}`)
  const result = JSON.parse(line)
  result.cpu_us = ((cpuSeconds(server.pid) - before) * 1e6) / Math.max(result.requests, 1)
  result.rate = result.requests / result.seconds
  result.errors = result.refused + result.broken + result.late
  return result
}
