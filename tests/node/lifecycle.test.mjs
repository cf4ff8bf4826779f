// SPDX-License-Identifier: Apache-2.0
//
// The node as an operator meets it: start, ports, refusals to start, signals, and clients that go away or dawdle.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'

import { assertProblem } from './lib/problem.mjs'
import { troupe } from './lib/troupe.mjs'
import { Connection, requestBytes } from './lib/socket.mjs'
import { run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually, within } from './lib/wait.mjs'

/** The documented exit codes. */
const exit = { failed: 1, usage: 2, bind: 3, dataDir: 4 }

/** It refused to start: this exit code, nothing on stdout, and one line on stderr that fits. Lines of the log may come
 *  before it; after a flag that it does not know, argp adds where to find help. */
async function assertRefused(node, code, line) {
  const result = await node.untilExit()
  assert.equal(result.code, code, result.stderr)
  assert.equal(result.stdout, '')
  const lines = result.stderr
    .trimEnd()
    .split('\n')
    .filter((text) => !text.startsWith('{') && !text.startsWith('Try `trouped --help'))
  assert.equal(lines.length, 1, result.stderr)
  assert.match(lines[0], line)
}

/** A client whose call is with an actor that has not answered yet. */
async function callWaiting(node, type, json) {
  const { ref } = await node.spawn('faulty')
  const waiting = await node.connect()
  waiting.send(requestBytes('POST', `/v1/actors/${ref}/call/${type}?timeout=10m`, { body: JSON.stringify(json) }))
  const isThere = async () => (await node.request('GET', `/v1/actors/${ref}`)).json.processed === 1
  await eventually(isThere, 'the call is with the actor')
  return waiting
}

// ---- ports ----

test('port 0 is read back and told in every place', async (t) => {
  const node = await start(t)
  assert.deepEqual(Object.keys(node.ready).slice(0, 1), ['event'])
  assert.equal(node.ready.event, 'ready')
  assert.equal(node.ready.pid, node.pid)
  assert.match(node.ready.node, /^n\.[0-9a-hj-km-np-tv-z]{13}$/)
  assert.match(node.api, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.ok(node.port > 0)
  assert.deepEqual(JSON.parse(readFileSync(node.portsFile, 'utf8')), node.ready)
  assert.equal((await node.request('GET', '/v1/node')).json.api, node.api)
  assert.equal(node.stdout.trim().split('\n').length, 1, 'exactly one line is announced')
  await node.stop()
  assert.equal(existsSync(node.portsFile), false, 'the ports file is removed')
})

test('an advertised address is told, and programs on this machine use the bound one', async (t) => {
  const node = await start(t, ['--advertise', 'node.example:9', '--ports-file', ''])
  const bound = /^http:\/\/127\.0\.0\.1:\d+$/
  assert.equal(node.api, 'http://node.example:9')
  assert.match(node.ready.api_bound, bound)
  const runtime = temporaryFolder(t)
  mkdirSync(path.join(runtime, 'troupe'), { mode: 0o700 })
  const local = await start(t, ['--ports-file', path.join(runtime, 'troupe', 'x.ports.json'), '--advertise', 'a.example'])
  assert.deepEqual(JSON.parse(readFileSync(path.join(runtime, 'troupe', 'x.ports.json'), 'utf8')), local.ready)
  assert.match(local.ready.api_bound, bound)
  assert.equal(new URL(local.api).port, new URL(local.ready.api_bound).port)
  const doctor = await troupe(['doctor'], { env: { XDG_RUNTIME_DIR: runtime } })
  assert.equal(doctor.code, 0, doctor.stdout)
  assert.ok(doctor.stdout.includes(`${local.ready.api_bound}, from`), doctor.stdout)
  assert.equal((await troupe(['spawn', 'counter'], { env: { XDG_RUNTIME_DIR: runtime } })).code, 0)
})

test('what is not advertised, or as bound, is told once', async (t) => {
  const node = await start(t, ['--advertise', '127.0.0.1'])
  assert.match(node.api, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.equal('api_bound' in node.ready, false)
})

test('without --announce json a person reads the address', async (t) => {
  const node = run(t, [])
  const line = await node.line((text) => /http:\/\/127\.0\.0\.1:\d+/.test(text))
  const port = Number(/:(\d+)/.exec(line.slice(line.indexOf('127.0.0.1')))[1])
  const connection = await Connection.open(port)
  assert.equal((await connection.request('GET', '/version')).status, 200)
  connection.close()
  await node.stop()
})

test('two nodes run side by side', async (t) => {
  const [one, two] = await Promise.all([start(t), start(t)])
  assert.notEqual(one.port, two.port)
  assert.notEqual(one.ready.node, two.ready.node)
  for (const node of [one, two]) assert.equal((await node.request('GET', '/readyz')).status, 200)
})

test('the ports file appears whole and leaves nothing beside it', async (t) => {
  const node = await start(t)
  const beside = readdirSync(node.folder).filter((name) => name.startsWith('ports.json'))
  assert.deepEqual(beside, ['ports.json'])
})

test('IPv6 works, in brackets', async (t) => {
  const node = await start(t, ['--listen-api', '[::1]:0'])
  assert.match(node.api, /^http:\/\/\[::1\]:\d+$/)
  const connection = await Connection.open(node.port, '::1')
  assert.equal((await connection.request('GET', '/version', { host: `[::1]:${node.port}` })).status, 200)
  connection.close()
})

test('a port asked for is the port', async (t) => {
  const free = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => free.once('listening', resolve))
  const { port } = free.address()
  await new Promise((resolve) => free.close(resolve))
  const node = await start(t, ['--listen-api', `127.0.0.1:${port}`])
  assert.equal(node.port, port)
})

// ---- refusals to start ----

test('a port that is taken is an error with the remedy', async (t) => {
  const node = await start(t)
  const second = run(t, ['--listen-api', `127.0.0.1:${node.port}`])
  await assertRefused(second, exit.bind, new RegExp(`127\\.0\\.0\\.1 port ${node.port}.*in use.*port 0`, 'i'))
  assert.equal((await node.request('GET', '/version')).status, 200)
})

test('an address of another machine is an error', async (t) => {
  await assertRefused(run(t, ['--listen-api', '192.0.2.1:0', '--insecure']), exit.bind, /192\.0\.2\.1/)
})

test('an open address needs --insecure', async (t) => {
  await assertRefused(run(t, ['--listen-api', '0.0.0.0:0']), exit.usage, /--insecure/)
})

for (const [name, args, line] of [
  ['an unknown flag', ['--lisen-api', '127.0.0.1:0'], /--lisen-api/],
  ['a flag without its value', ['--listen-api'], /--listen-api/],
  ['a word that is no flag', ['start'], /start/],
  ['an address that is none', ['--listen-api', 'here'], /--listen-api/],
  ['a port over 65535', ['--listen-api', '127.0.0.1:65536'], /--listen-api/],
  ['a number that is none', ['--workers', 'many'], /--workers/],
  ['a number out of range', ['--workers', '65'], /--workers.*64/],
  ['a duration that is none', ['--head-timeout', '5 minutes'], /--head-timeout.*5s/],
  ['a host with a port', ['--allow-host', 'a.example:80'], /--allow-host.*without port/],
  ['an origin without scheme', ['--allow-origin', 'app.example'], /--allow-origin.*https:/],
  ['a size that is none', ['--memory-max', '-1'], /--memory-max/],
  ['a word out of a choice', ['--announce', 'xml'], /--announce.*json/],
]) {
  test(`a bad flag says which and how: ${name}`, async (t) => {
    await assertRefused(run(t, args), exit.usage, line)
  })
}

test('a bad environment variable is named', async (t) => {
  await assertRefused(run(t, [], { env: { TROUPE_WORKERS: 'many' } }), exit.usage, /TROUPE_WORKERS/)
})

test('a data directory that cannot be made is an error', async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'file')
  writeFileSync(file, '')
  await assertRefused(run(t, ['--data-dir', path.join(file, 'data')], { folder }), exit.dataDir, /file\/data/)
})

test(
  'a data directory without write permission is an error',
  { skip: process.getuid() === 0 && 'root may write anywhere' },
  async (t) => {
    const folder = temporaryFolder(t)
    const data = path.join(folder, 'data')
    mkdirSync(data)
    chmodSync(data, 0o500)
    await assertRefused(run(t, ['--data-dir', data], { folder }), exit.dataDir, /data.*permission/i)
  },
)

test('a data directory in use by another node is an error, and free when that one ends', async (t) => {
  const folder = temporaryFolder(t)
  const data = path.join(folder, 'data')
  const first = await start(t, ['--data-dir', data], { folder })
  await assertRefused(run(t, ['--data-dir', data], { folder }), exit.dataDir, /data.*in use by another node/)
  first.signalTo('SIGKILL')
  await first.untilExit()
  const next = await start(t, ['--data-dir', data], { folder })
  assert.equal((await next.request('GET', '/version')).status, 200)
})

for (const [name, content] of [
  ['empty', ''],
  ['cut', 'c.4tq8v1m\n'],
  ['another kind of id', 'n.4tq8v1m02x7kc\n'],
  ['letters that no id has', 'c.4tq8v1m02x7ki\n'],
  ['longer than an id', 'c.4tq8v1m02x7kc0\n'],
  ['binary', Buffer.from([0xff, 0xfe, 0x00, 0x01])],
]) {
  test(`a damaged cluster id is an error, and stays as it is: ${name}`, async (t) => {
    const folder = temporaryFolder(t)
    const data = path.join(folder, 'data')
    const first = await start(t, ['--data-dir', data], { folder })
    await first.stop()
    const file = path.join(data, 'cluster')
    const good = readFileSync(file)
    writeFileSync(file, content)
    await assertRefused(run(t, ['--data-dir', data], { folder }), exit.dataDir, /data\/cluster is damaged.*remove it/)
    assert.deepEqual(readFileSync(file), Buffer.from(content))
    writeFileSync(file, good)
    const again = await start(t, ['--data-dir', data], { folder })
    assert.equal(again.ready.cluster, first.ready.cluster)
  })
}

test('a ports file that cannot be written is an error', async (t) => {
  await assertRefused(run(t, ['--ports-file', '/nonexistent/ports.json']), exit.failed, /\/nonexistent\/ports\.json/)
})

test('a ports file takes the place of nothing but a file', async (t) => {
  const folder = temporaryFolder(t)
  const link = path.join(folder, 'link')
  symlinkSync('/dev/null', link)
  await assertRefused(run(t, ['--ports-file', link], { folder }), exit.failed, /--ports-file: cannot write .*link/)
  assert.equal(readlinkSync(link), '/dev/null')
})

for (const name of ['lock', 'layout', 'cluster']) {
  test(`a data directory whose ${name} is a link is refused, and the link is not followed`, async (t) => {
    const folder = temporaryFolder(t)
    const data = path.join(folder, 'data')
    const victim = path.join(folder, 'victim')
    mkdirSync(data)
    symlinkSync(victim, path.join(data, name))
    await assertRefused(run(t, ['--data-dir', data], { folder }), exit.dataDir, /--data-dir: cannot .*data/)
    assert.equal(existsSync(victim), false)
  })
}

test('a FIFO in a data directory does not hold the start', async (t) => {
  const folder = temporaryFolder(t)
  const data = path.join(folder, 'data')
  mkdirSync(data)
  execFileSync('mkfifo', [path.join(data, 'layout')])
  await assertRefused(run(t, ['--data-dir', data], { folder }), exit.dataDir, /has layout ''/)
})

// ---- configuration ----

test('--version and --help leave with 0 and speak on stdout', async (t) => {
  const version = await run(t, ['--version']).untilExit()
  assert.equal(version.code, 0)
  assert.match(version.stdout, /^trouped \d+\.\d+\.\d+/)
  const help = await run(t, ['--help']).untilExit()
  assert.equal(help.code, 0)
  for (const flag of ['--listen-api', '--announce', '--ports-file', '--data-dir', '--check-config']) {
    assert.ok(help.stdout.includes(flag), flag)
  }
})

test('--print-config prints what holds, and takes it back', async (t) => {
  const printed = await run(t, ['--workers', '3', '--allow-host', 'a.example', '--print-config'], {
    env: { TROUPE_HEAD_TIMEOUT: '7s', TROUPE_ALLOW_ORIGIN: 'https://b.example,https://c.example' },
  }).untilExit()
  assert.equal(printed.code, 0, printed.stderr)
  const settings = printed.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ = ?/))
  assert.deepEqual(
    settings.find(([flag]) => flag === 'workers'),
    ['workers', '3'],
  )
  assert.deepEqual(
    settings.find(([flag]) => flag === 'head-timeout'),
    ['head-timeout', '7000ms'],
  )
  assert.deepEqual(
    settings.find(([flag]) => flag === 'allow-origin'),
    ['allow-origin', 'https://b.example,https://c.example'],
  )
  const env = Object.fromEntries(
    settings
      .filter(([, value]) => value)
      .map(([flag, value]) => [`TROUPE_${flag.toUpperCase().replaceAll('-', '_')}`, value]),
  )
  const again = await run(t, ['--print-config'], { env }).untilExit()
  assert.equal(again.stdout, printed.stdout)
})

test('each line that --print-config prints is accepted back, as a variable and as a flag', async (t) => {
  const rows = [
    [],
    ['--advertise', 'node.example', '--insecure', '--ports-file', '', '--data-dir', 'data', '--memory-max', '64M'],
    ['--advertise', '[::1]:80', '--listen-api', '[::1]:0', '--allow-host', 'a.example', '--workers', '0'],
  ]
  for (const args of rows) {
    const printed = (await run(t, [...args, '--print-config']).untilExit()).stdout
    const settings = printed
      .trimEnd()
      .split('\n')
      .map((line) => /^([a-z-]+) =(?: (.*))?$/.exec(line).slice(1))
      .map(([flag, value]) => [flag, value ?? ''])
    assert.ok(settings.length > 14, printed)
    const env = Object.fromEntries(
      settings.map(([flag, value]) => [`TROUPE_${flag.toUpperCase().replaceAll('-', '_')}`, value]),
    )
    const flags = settings.flatMap(([flag, value]) =>
      flag === 'insecure' ? (value === '1' ? ['--insecure'] : []) : [`--${flag}=${value}`],
    )
    assert.equal((await run(t, ['--print-config'], { env }).untilExit()).stdout, printed)
    assert.equal((await run(t, [...flags, '--print-config']).untilExit()).stdout, printed)
    for (const one of [run(t, ['--check-config'], { env }), run(t, [...flags, '--check-config'])]) {
      const { code, stderr } = await one.untilExit()
      assert.equal(code, 0, stderr)
    }
  }
})

test('a flag counts more than the environment', async (t) => {
  const printed = await run(t, ['--workers', '3', '--print-config'], { env: { TROUPE_WORKERS: '5' } }).untilExit()
  assert.match(printed.stdout, /^workers = 3$/m)
})

test('--check-config judges and starts nothing', async (t) => {
  const node = run(t, ['--check-config', '--data-dir', 'data'])
  const { code, stdout, stderr } = await node.untilExit()
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assert.match(stdout, /^.*fine\n$/)
  assert.deepEqual(readdirSync(node.folder), [])
})

// ---- the log ----

const logLine = (node, fits) => node.line((text) => text.startsWith('{') && fits(JSON.parse(text)), 'stderr').then(JSON.parse)

test('a spawn that fails is logged with its behavior', async (t) => {
  const node = await start(t)
  const json = { behavior: 'counter', args: { value: 'many' } }
  assert.equal((await node.request('POST', '/v1/actors', { json })).status, 422)
  const line = await logLine(node, ({ msg }) => msg === 'spawn')
  assert.equal(line.behavior, 'counter')
  assert.equal(line.result, 'schema')
  assert.match(line.from, /^127\.0\.0\.1:\d+$/)
})

test('how an actor was ended is logged, with the reason that the client gave', async (t) => {
  const node = await start(t)
  for (const mode of ['stop', 'drain', 'kill']) {
    const { ref } = await node.spawn('echo')
    const reason = `${mode} "it" \\ {now} \u0085\u009b2J`
    const target = `/v1/actors/${ref}?mode=${mode}&reason=${encodeURIComponent(reason)}`
    assert.equal((await node.request('DELETE', target)).status, 204)
    const line = await logLine(node, ({ msg, actor }) => msg === mode && actor === ref)
    assert.equal(line.reason, reason)
    assert.equal(line.result, 'ok')
  }
})

test('words of a client do not reach a terminal as commands', async (t) => {
  const node = await start(t, ['--log', 'human'])
  const { ref } = await node.spawn('echo')
  await node.request('DELETE', `/v1/actors/${ref}?reason=${encodeURIComponent('a\u009b2Jb')}`)
  const line = await node.line((text) => text.includes(' stop '), 'stderr')
  assert.ok(line.includes('reason=a?2Jb'), line)
})

// ---- the end ----

test('SIGTERM drains: what was accepted is answered, new work is refused', async (t) => {
  const node = await start(t)
  const waiting = await callWaiting(node, 'late', { ms: 300 })
  node.signalTo('SIGTERM')
  assert.equal((await waiting.response('POST')).status, 200)
  const { code, stderr } = await node.untilExit()
  assert.equal(code, 0, stderr)
})

test('who is not there while the node drains may be elsewhere', async (t) => {
  const node = await start(t)
  const { ref } = await node.spawn('echo', { name: 'first' })
  const waiting = await callWaiting(node, 'late', { ms: 1000 })
  node.signalTo('SIGTERM')
  const seen = []
  const asks = [`/v1/actors/${ref}`, '/v1/actors/@first', '/v1/names/first']
  await eventually(async () => {
    const response = await node.request('GET', asks[seen.length])
    if (response.status === 200) return false // not ended yet
    assertProblem(response, { status: 503, code: 'draining', retry: 'yes', outcome: 'not_done', detail: /another node/ })
    return seen.push(response) === asks.length
  }, 'the actor has ended')
  assert.equal((await waiting.response('POST')).status, 200)
  assert.equal((await node.untilExit()).code, 0)
})

test('SIGTERM ends a node in which a call would wait for ever', async (t) => {
  const node = await start(t, ['--drain-timeout', '200ms'])
  const waiting = await callWaiting(node, 'never', {})
  node.signalTo('SIGTERM')
  const response = await waiting.response('POST')
  assert.ok(response.status >= 400 && response.type === 'application/problem+json', response.text)
  const { code, stderr } = await node.untilExit()
  assert.equal(code, 0, stderr)
})

test('SIGTERM does not wait for replies to clients who are gone', async (t) => {
  const node = await start(t, ['--drain-timeout', '10m'])
  const gone = await callWaiting(node, 'never', {})
  const leaving = await callWaiting(node, 'never', {})
  const before = node.descriptors()
  gone.close()
  await eventually(() => node.descriptors() < before, 'the node has seen that the first one left')
  await node.signalTo('SIGTERM').line((line) => line.includes('terminated'), 'stderr')
  leaving.close() // while the actors drain
  const { code, stderr } = await node.untilExit()
  assert.equal(code, 0, stderr)
})

test('SIGTERM ends idle kept-alive connections', async (t) => {
  const node = await start(t)
  const idle = await node.connect()
  assert.equal((await idle.request('GET', '/version')).status, 200)
  const silent = await node.connect()
  node.signalTo('SIGTERM')
  await idle.untilClosed()
  await silent.untilClosed()
  assert.equal((await node.untilExit()).code, 0)
})

test('SIGINT leaves at once', async (t) => {
  const node = await start(t)
  const waiting = await callWaiting(node, 'never', {})
  const { code } = await node.signalTo('SIGINT').untilExit()
  assert.ok(code === 0 || code === 130, `exit code ${code}`)
  assert.equal(existsSync(node.portsFile), false)
  await waiting.untilClosed()
})

test('a second signal does not wait', async (t) => {
  const node = await start(t, ['--drain-timeout', '10m'])
  const waiting = await callWaiting(node, 'never', {})
  await node.signalTo('SIGTERM').line((line) => line.includes('terminated'), 'stderr')
  const { code } = await node.signalTo('SIGTERM').untilExit()
  assert.equal(code, exit.failed)
  assert.equal(existsSync(node.portsFile), false)
})

test('SIGHUP ends nothing', async (t) => {
  const node = await start(t)
  node.signalTo('SIGHUP')
  assert.equal((await node.request('GET', '/readyz')).status, 200)
  await node.stop()
})

test('/livez and /readyz answer while every worker is busy', async (t) => {
  const node = await start(t, ['--workers', '1'])
  const { ref } = await node.spawn('faulty')
  const busy = await node.connect()
  busy.send(requestBytes('POST', `/v1/actors/${ref}/call/spin?timeout=1m`, { body: '{"us":1000000}' }))
  const probes = ['/livez', '/readyz'].map(async (target) => {
    const connection = await node.connect()
    const { status } = await connection.request('GET', target)
    connection.close()
    return status
  })
  const first = await Promise.race([busy.response('POST').then(() => 'the turn'), Promise.all(probes)])
  assert.deepEqual(first, [200, 200])
  busy.close()
})

test('a node over its memory budget refuses new work and says so', async (t) => {
  const node = await start(t, ['--memory-max', '1M'])
  const client = await node.connect()
  const spawn = () => client.request('POST', '/v1/actors', { body: '{"behavior":"echo"}' })
  let response = await spawn()
  for (let i = 0; i < 20_000 && response.status === 201; i++) response = await spawn()
  assertProblem(response, { status: 503, code: 'overloaded', retry: 'yes', outcome: 'not_done' })
  assert.equal((await node.request('GET', '/readyz')).status, 503)
  assert.equal((await node.request('GET', '/livez')).status, 200)
  const { items } = (await client.request('GET', '/v1/actors?limit=1000')).json
  for (const { ref } of items) assert.equal((await client.request('DELETE', `/v1/actors/${ref}`)).status, 204)
  await eventually(async () => (await spawn()).status === 201, 'there is room again')
  client.close()
})

// ---- clients that go away or dawdle ----

test('a client that leaves while its call waits frees everything', async (t) => {
  const node = await start(t, ['--drain-timeout', '100ms'])
  await node.spawn('faulty', { name: 'mute' })
  const probe = await node.connect()
  const openCalls = async () => (await probe.request('GET', '/v1/actors/@mute')).json.processed
  assert.equal(await openCalls(), 0)
  const before = node.descriptors()
  for (let round = 1; round <= 3; round++) {
    const clients = await Promise.all(Array.from({ length: 20 }, () => node.connect()))
    for (const client of clients) {
      client.send(requestBytes('POST', '/v1/actors/@mute/call/never?timeout=10m', { body: '{}' }))
    }
    await eventually(async () => (await openCalls()) === 20 * round, 'the calls are with the actor')
    assert.ok(node.descriptors() >= before + 20)
    clients.forEach((client, i) => client.close({ reset: i % 2 === 0 }))
    await eventually(() => node.descriptors() <= before, 'the descriptors are back')
  }
  assert.equal((await probe.request('GET', '/readyz')).status, 200)
})

test('a client that leaves in the middle of its request frees everything', async (t) => {
  const node = await start(t)
  await node.request('GET', '/version')
  const before = node.descriptors()
  const whole = requestBytes('POST', '/v1/actors', { body: '{"behavior":"counter"}' })
  for (const size of [0, 1, 20, whole.length - 30, whole.length - 1]) {
    for (const reset of [true, false]) {
      const client = await node.connect()
      client.send(whole.subarray(0, size)).close({ reset })
    }
  }
  await eventually(() => node.descriptors() <= before, 'the descriptors are back')
  assert.equal((await node.request('GET', '/v1/actors')).json.items.length, 0)
})

test('a client that sends no more has its answer, or its end, and nothing is left', async (t) => {
  const node = await start(t, ['--drain-timeout', '100ms'])
  await node.spawn('faulty', { name: 'late' })
  const before = node.descriptors()
  const quick = await node.connect()
  quick.send(requestBytes('GET', '/version')).finish()
  assert.equal((await quick.response()).status, 200)
  await quick.untilClosed()
  const waiting = await node.connect()
  waiting.send(requestBytes('POST', '/v1/actors/@late/call/never?timeout=10m', { body: '{}' })).finish()
  await waiting.untilClosed()
  for (const client of [quick, waiting]) client.close()
  await eventually(() => node.descriptors() <= before, 'the descriptors are back')
})

test('a client that reads nothing does not hold others', async (t) => {
  const node = await start(t)
  await node.spawn('faulty', { name: 'big' })
  const deaf = net.connect(node.port, '127.0.0.1')
  await new Promise((resolve) => deaf.once('connect', resolve))
  deaf.pause()
  t.after(() => deaf.destroy())
  const ask = requestBytes('POST', '/v1/actors/@big/call/big', { body: '{"bytes":1000000}' })
  for (let i = 0; i < 50; i++) deaf.write(ask)
  for (let i = 0; i < 50; i++) assert.equal((await node.request('GET', '/v1/node')).status, 200)
})

test('300 slow clients do not hurt a good one', async (t) => {
  const node = await start(t)
  await node.spawn('counter', { name: 'hits' })
  await node.request('GET', '/version')
  const before = node.descriptors()
  const pieces = [
    '',
    'G',
    'GET /version HTTP/1.1\r\nHost: lo',
    'POST /v1/actors HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{',
  ]
  const slow = await Promise.all(Array.from({ length: 300 }, () => node.connect()))
  slow.forEach((client, i) => client.send(pieces[i % pieces.length]))
  const good = async () => {
    const connection = await node.connect()
    for (let i = 1; i <= 500; i++) {
      const response = await connection.request('POST', '/v1/actors/@hits/call/add', { body: '{"by":1}' })
      assert.deepEqual(response.json, { value: i })
      if (i % 5 === 0) slow[i % 300].send('x')
    }
    connection.close()
  }
  await within(good(), '500 requests beside 300 slow clients')
  for (const client of slow) client.close()
  await eventually(() => node.descriptors() <= before, 'the descriptors are back')
})

test('connections beyond --connections-max are refused, and others live on', async (t) => {
  const node = await start(t, ['--connections-max', '20'])
  const kept = await Promise.all(Array.from({ length: 20 }, () => node.connect()))
  for (const client of kept) assert.equal((await client.request('GET', '/version')).status, 200)
  const extra = await node.connect()
  extra.send(requestBytes('GET', '/version'))
  const answer = (await extra.untilClosed()).toString('latin1')
  assert.match(answer, /^HTTP\/1\.1 503 /)
  const probe = await node.connect() // a full node is not a dead one
  probe.send(requestBytes('GET', '/livez'))
  assert.match((await probe.untilClosed()).toString('latin1'), /^HTTP\/1\.1 200 /)
  for (const client of kept) assert.equal((await client.request('GET', '/version')).status, 200)
  kept[0].close()
  await eventually(async () => (await node.request('GET', '/version').catch(() => ({}))).status === 200, 'a free place')
})
