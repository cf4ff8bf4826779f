// SPDX-License-Identifier: Apache-2.0
//
// A real node for a test: the program named by TROUPED, in a folder of its own, on ports of its own. It ends with the
// test, and so does its folder.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { Connection } from './socket.mjs'
import { deferred, within } from './wait.mjs'

if (!process.env.TROUPED) throw new Error('TROUPED must name the program, for example TROUPED=build/trouped')

/** Is it a build with AddressSanitizer? Its memory says nothing: what is freed is kept for a while. */
export const isSanitized = readFileSync(process.env.TROUPED).includes('__asan_init')

/** A folder that goes with the test. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'troupe-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Run trouped with these arguments and nothing else; it may well refuse to start. */
export function run(t, args, { env = {}, folder = temporaryFolder(t) } = {}) {
  const isolated = { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder, ...env }
  const child = spawn(process.env.TROUPED, args, { cwd: folder, env: isolated, stdio: ['ignore', 'pipe', 'pipe'] })
  const process_ = new Process(child, folder)
  t.after(() => process_.end())
  return process_
}

/** Start a node and wait until it says that it is ready. */
export async function start(t, args = [], options = {}) {
  const folder = options.folder ?? temporaryFolder(t)
  const portsFile = path.join(folder, 'ports.json')
  const node = run(t, ['--announce', 'json', '--ports-file', portsFile, ...args], { ...options, folder })
  node.portsFile = portsFile
  node.ready = JSON.parse(await node.line((line) => line.startsWith('{')))
  node.api = node.ready.api
  node.port = Number(new URL(node.api).port)
  return node
}

class Process {
  stdout = ''
  stderr = ''
  #lineArrived = deferred()
  #idle = []

  constructor(child, folder) {
    this.child = child
    this.folder = folder
    this.pid = child.pid
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (text) => {
        this[name] += text
        this.#lineArrived.resolve()
        this.#lineArrived = deferred()
      })
    }
    const exited = deferred()
    child.on('error', exited.reject)
    child.on('close', (code, signal) => {
      this.code = code
      this.signal = signal
      exited.resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      this.#lineArrived.resolve()
    })
    this.exited = exited.promise
  }

  get isRunning() {
    return this.code === undefined
  }

  /** Wait for a whole line of standard output, or of `stream`, that fits. */
  async line(fits, stream = 'stdout') {
    const wait = async () => {
      for (;;) {
        const found = this[stream].split('\n').slice(0, -1).find(fits)
        if (found !== undefined) return found
        if (!this.isRunning) throw new Error(`trouped ended with ${this.code ?? this.signal}:\n${this.stderr}`)
        await this.#lineArrived.promise
      }
    }
    return within(wait(), `a line of ${stream} that fits ${fits}; there is ${this[stream]}${this.stderr}`)
  }

  /** Wait for its end, however it comes: {code, signal, stdout, stderr}. */
  async untilExit(deadlineMs) {
    return within(this.exited, 'the end of trouped', deadlineMs)
  }

  signalTo(name) {
    this.child.kill(name)
    return this
  }

  /** Stop it as an operator does; it must drain and leave with 0. */
  async stop() {
    this.signalTo('SIGTERM')
    const { code, signal, stderr } = await this.untilExit()
    assert.equal(code, 0, `SIGTERM ended with ${code ?? signal}:\n${stderr}`)
  }

  /** For the end of a test: a node that still runs must be able to stop. Only a stuck one is killed, and told. */
  async end() {
    for (const connection of this.#idle.splice(0)) connection.close()
    if (!this.isRunning) return
    this.signalTo('SIGTERM')
    try {
      await this.untilExit()
    } catch (error) {
      this.signalTo('SIGKILL')
      await this.exited
      throw new Error(`SIGTERM did not end trouped:\n${this.stderr}`, { cause: error })
    }
    assert.doesNotMatch(this.stderr, /(ERROR|WARNING): \w+Sanitizer|runtime error:/)
    assert.equal(this.code, 0, `SIGTERM ended with ${this.code ?? this.signal}:\n${this.stderr}`)
  }

  /** Open descriptors. */
  descriptors() {
    return readdirSync(`/proc/${this.pid}/fd`).length
  }

  /** Resident memory, in bytes. */
  memory() {
    const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))
    return Number(kib) * 1024
  }

  connect() {
    return Connection.open(this.port)
  }

  /** One request, on a connection that stays open for the next: what tests count in /proc does not move. */
  async request(method, target, options = {}) {
    let connection = this.#idle.pop()
    if (!connection || connection.isOver) connection = await this.connect()
    const response = await connection.request(method, target, withJson(options))
    if (response.headers.get('connection') === 'close') connection.close()
    else this.#idle.push(connection)
    return response
  }

  /** Spawn an actor and give its document. */
  async spawn(behavior, more = {}) {
    const response = await this.request('POST', '/v1/actors', { json: { behavior, ...more } })
    assert.equal(response.status, 201, response.text)
    return response.json
  }
}

/** `json` becomes a body with its content type. */
export function withJson({ json, headers = [], ...rest }) {
  if (json === undefined) return { headers, ...rest }
  return { ...rest, headers: [...headers, ['Content-Type', 'application/json']], body: JSON.stringify(json) }
}
