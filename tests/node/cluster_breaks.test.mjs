// SPDX-License-Identifier: Apache-2.0
//
// Clusters that are mistreated: nodes that are stopped and go on, registries that talk rubbish or fall silent, names that
// are wanted while the registry comes and goes. Whatever happens, no name has two holders, and nobody hangs.

import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'

import { members, runtimeFolder, startCluster } from './lib/cluster.mjs'
import { openEvents } from './lib/events.mjs'
import { askRegistry, secretOf, sign } from './lib/proof.mjs'
import { Connection } from './lib/socket.mjs'
import { isSanitized, run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const LEASE_MS = isSanitized ? 4000 : 2000 // short, and yet longer than a busy machine keeps a node from renewing
const lease = ['--lease', `${LEASE_MS}ms`, '--workers', '1']

const spawnNamed = (node, name, more = {}) =>
  node.request('POST', '/v1/actors', { json: { behavior: 'counter', name, ...more } })

const renewalsOf = async (node) => Number(/^troupe_cluster_lease_renewals_total (\d+)$/m.exec(await metricsOf(node))[1])
const metricsOf = async (node) => (await node.request('GET', '/metrics')).text

const upCount = async (node) => (await members(node)).filter((one) => one.state === 'up').length

/** A server that does this with each connection; gives its port. */
async function serve(t, onSocket) {
  const sockets = new Set()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return server.address().port
}

// ---- processes that are stopped ----

test('a node that slept through its lease serves no name that is another\'s by now', async (t) => {
  const cluster = await startCluster(t, 2, { args: ['--lease', `${LEASE_MS}ms`, '--workers', '2'] })
  const [first, second] = cluster.nodes
  const old = (await spawnNamed(second, 'leader')).json
  const asking = await Promise.all(Array.from({ length: 16 }, () => second.connect()))
  for (const connection of asking) await connection.request('GET', '/livez') // it is at a worker
  const events = await openEvents(first, '/v1/events')
  second.signalTo('SIGSTOP')
  await events.next((event) => event.event === 'node.down')
  events.close()
  const heir = await spawnNamed(first, 'leader')
  assert.equal(heir.status, 201, heir.text)
  // These wait in its sockets: its workers run at the same time as the thread that knows of the lease.
  for (const [i, connection] of asking.entries()) {
    connection.send(i % 2 === 0
      ? 'GET /v1/names/leader HTTP/1.1\r\nHost: localhost\r\n\r\n'
      : 'POST /v1/actors/@leader/call/get HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n')
  }
  await Promise.all(asking.map((connection) => connection.flushed()))
  second.signalTo('SIGCONT')
  const answers = await Promise.all(asking.map((connection) => connection.response().catch(() => null)))
  for (const answer of answers) {
    assert.notEqual(answer?.json?.ref, old.ref, answer?.text)
    assert.ok(answer === null || answer.status >= 400 || answer.json.ref === heir.json.ref, answer?.text)
  }
  assert.equal((await second.untilExit()).code, 71)
  for (const connection of asking) connection.close()
})

test('a registry that slept for longer than the lease does not end those of its members', async (t) => {
  const cluster = await startCluster(t, 3, { args: lease })
  const [first, ...others] = cluster.nodes
  const events = await openEvents(others[0], '/v1/events')
  const stories = await openEvents(first, '/v1/events')
  first.signalTo('SIGSTOP')
  const lost = performance.now()
  await events.next((event) => event.event === 'registry.lost')
  await eventually(() => performance.now() - lost > 2 * LEASE_MS, 'twice the lease')
  first.signalTo('SIGCONT')
  await events.next((event) => event.event === 'registry.found')
  await eventually(async () => await upCount(first) === 3, 'all are members still')
  for (const [i, node] of others.entries()) {
    assert.ok(node.isRunning, node.stderr)
    await eventually(async () => (await spawnNamed(node, `again-${i}`)).status === 201, 'names are given again')
  }
  for (const stream of [events, stories]) {
    assert.equal(stream.history.filter((event) => event.event === 'node.down').length, 0)
    stream.close()
  }
})

test('a node that is stopped and goes on, again and again within its lease, stays a member', async (t) => {
  const cluster = await startCluster(t, 2, { args: lease })
  const [first, second] = cluster.nodes
  const actor = (await spawnNamed(second, 'steady')).json
  for (let i = 0; i < 6; i++) {
    second.signalTo('SIGSTOP')
    const stopped = performance.now()
    await eventually(() => performance.now() - stopped > LEASE_MS / 4, 'a quarter of the lease')
    second.signalTo('SIGCONT')
    assert.equal((await second.request('GET', '/v1/names/steady')).json?.ref, actor.ref)
    const renewals = await renewalsOf(second)
    await eventually(async () => (await renewalsOf(second)) > renewals, 'a renewal: stops in a row would add up')
  }
  assert.equal((await first.request('GET', '/v1/names/steady')).json.ref, actor.ref)
  assert.equal(await upCount(first), 2)
})

// ---- what answers is no registry ----

const head = (length) => `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`

for (const [what, onSocket, pattern] of [
  ['sends two megabytes of rubbish', (socket) => socket.once('data', () =>
    socket.end(head(2 << 20) + 'x'.repeat(2 << 20))), /the answer is too long/],
  ['sends a megabyte of brackets', (socket) => socket.once('data', () =>
    socket.end(head(1 << 20) + '['.repeat(1 << 20))), /is no registry/],
  ['answers one byte at a time', (socket) => {
    const bytes = [...head(1000)]
    const timer = setInterval(() => socket.write(bytes.shift() ?? ' '), 100)
    socket.once('data', () => {}).once('close', () => clearInterval(timer))
  }, /timed out/i],
  ['says nothing', () => {}, /timed out|does not answer/i],
  ['hangs up', (socket) => socket.destroy(), /reset|empty|closed|Recv failure/i],
  ['redirects to itself', (socket) => socket.once('data', () =>
    socket.end('HTTP/1.1 301 Moved\r\nLocation: /v1/registry\r\nContent-Length: 0\r\n\r\n')), /status 301/],
  ['has a cluster with a name of 200 bytes', (socket) => socket.once('data', () => {
    const text = JSON.stringify({ cluster: 'c'.repeat(200), epoch: 'e', time_ms: 1 })
    socket.end(head(text.length) + text)
  }), /is no registry/],
]) {
  test(`a registry that ${what} is none: the node says so, tries on, and ends when told`, async (t) => {
    const port = await serve(t, onSocket)
    const node = run(t, [...lease, '--join', `http://127.0.0.1:${port}`])
    await node.line((line) => line.includes('has not joined yet') && pattern.test(line), 'stderr')
    assert.equal(node.stdout, '')
    await node.stop()
  })
}

test('a node cannot join itself, and is told what is there', async (t) => {
  const port = await serve(t, (socket) => socket.destroy())
  const node = run(t, [...lease, '--listen-api', `127.0.0.1:${port + 0}`, '--join', `http://127.0.0.1:${port}`])
  const { code, stderr } = await node.untilExit()
  assert.equal(code, 3, stderr) // the port is taken; now one that is its own
  const free = await start(t, [])
  await free.stop()
  const own = run(t, [...lease, '--listen-api', `127.0.0.1:${free.port}`, '--join', free.api])
  await own.line((line) => /keeps no registry/.test(line), 'stderr')
  await own.stop()
})

test('a member whose peer port accepts and says nothing is told what to do', async (t) => {
  const cluster = await startCluster(t, 1, { args: lease })
  const deaf = await serve(t, () => {})
  const node = run(t, [...lease, '--join', cluster.first.api, '--advertise-peer', `127.0.0.1:${deaf}`],
    { env: cluster.env })
  await node.line((line) => /its peer port .* does not answer the hello.*--advertise-peer/.test(line), 'stderr')
  await node.stop()
})

test('a second node with the same data directory does not start', async (t) => {
  const cluster = await startCluster(t, 1, { args: lease })
  const folder = temporaryFolder(t)
  const data = ['--data-dir', `${folder}/data`]
  await cluster.join(data)
  const node = run(t, [...lease, ...data, '--join', cluster.first.api], { env: cluster.env })
  const { code, stderr } = await node.untilExit()
  assert.equal(code, 4, stderr)
  assert.match(stderr, /--data-dir/)
})

// ---- ends ----

test('a joined node ends in bounded time when its registry is dead, silent or stopped', async (t) => {
  for (const signal of ['SIGKILL', 'SIGSTOP']) {
    const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
    const first = await start(t, lease, { env })
    const second = await start(t, [...lease, '--join', first.api], { env })
    assert.equal((await spawnNamed(second, 'last')).status, 201)
    first.signalTo(signal)
    const told = performance.now()
    await second.stop()
    assert.ok(performance.now() - told < 6000, `after ${signal} it took ${Math.round(performance.now() - told)} ms`)
    first.signalTo('SIGKILL')
    await first.untilExit()
  }
})

test('nodes that are killed while they join leave nothing behind', async (t) => {
  const cluster = await startCluster(t, 1, { args: lease })
  const { first } = cluster
  const events = await openEvents(first, '/v1/events')
  for (let i = 0; i < 12; i++) {
    const node = run(t, [...lease, '--join', first.api], { env: cluster.env })
    const before = events.history.length
    if (i % 3 > 0) {
      await eventually(() => events.history.length > before || !node.isRunning, 'it registers')
    }
    node.signalTo('SIGKILL')
    await node.untilExit()
  }
  await eventually(async () => (await members(first)).length === 1, 'their leases are over')
  const joined = events.history.filter((event) => event.event === 'node.joining').map(({ json }) => json.node)
  await eventually(() => joined.every((id) => events.history.filter((event) =>
    event.json?.node === id && event.event === 'node.down').length === 1), 'each end is told once')
  events.close()
})

// ---- names ----

test('names that are spawned while the registry is killed and started again have one holder each', async (t) => {
  const NAMES = isSanitized ? 1500 : 10_000
  const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
  const folder = temporaryFolder(t)
  const args = [...lease, '--data-dir', `${folder}/data`]
  let first = await start(t, args, { env, folder })
  const others = await Promise.all([1, 2].map(() => start(t, [...lease, '--join', `file:${first.portsFile}`], { env })))
  let next = 0
  const statuses = new Map()
  const worker = async (i) => {
    // Two nodes race for the same names; each refusal is an answer, never a hang.
    while (next < NAMES) {
      const name = `storm-${Math.floor(next++ / 2)}`
      await eventually(async () => {
        const answer = await spawnNamed(others[i % 2], name)
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        assert.ok([201, 409, 429, 503].includes(answer.status), answer.text)
        return answer.status < 429
      }, `an answer about ${name}`, 60_000)
    }
  }
  const storm = Promise.all(Array.from({ length: 32 }, (_, i) => worker(i)))
  for (const share of [0.2, 0.6]) {
    await eventually(() => next > NAMES * share, 'the storm goes on', 60_000)
    first.signalTo('SIGKILL')
    await first.untilExit()
    first = await start(t, args, { env, folder })
  }
  await storm
  t.diagnostic(`answers: ${JSON.stringify(Object.fromEntries(statuses))}`)
  assert.ok(statuses.get(201) >= NAMES / 4, 'names were given')
  await eventually(async () => await upCount(first) === 3, 'all are up again')
  const holders = new Map()
  for (const node of others) {
    for (let cursor = ''; cursor !== null;) {
      const page = await node.request('GET', `/v1/names?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      assert.equal(page.status, 200, page.text)
      for (const { name, ref } of page.json.items) {
        assert.equal(holders.get(name) ?? ref, ref, `${name} is held twice`)
        holders.set(name, ref)
      }
      cursor = page.json.next
    }
  }
  assert.ok(holders.size > 0)
  // And the registry says the same as those who hold them.
  await eventually(async () => {
    for (const [name, ref] of [...holders].slice(0, 50)) {
      const found = await first.request('GET', `/v1/names/${name}`)
      if (found.json?.ref !== ref) return false
    }
    return true
  }, 'the registry knows the holders')
})

test('thousands of names are claimed again within the lease after a restart', async (t) => {
  const NAMES = isSanitized ? 500 : 5000
  const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
  const folder = temporaryFolder(t)
  const args = ['--lease', '4s', '--workers', '1', '--data-dir', `${folder}/data`]
  const first = await start(t, args, { env, folder })
  const second = await start(t, ['--lease', '4s', '--workers', '1', '--join', `file:${first.portsFile}`], { env })
  let next = 0
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (next < NAMES) {
      const answer = await spawnNamed(second, `kept-${next++}`)
      assert.equal(answer.status, 201, answer.text)
    }
  }))
  const events = await openEvents(second, '/v1/events')
  first.signalTo('SIGKILL')
  await first.untilExit()
  const back = await start(t, args, { env, folder })
  for (const i of [0, NAMES / 2, NAMES - 1]) {
    await eventually(async () => (await back.request('GET', `/v1/names/kept-${i}`)).status === 200, `kept-${i}`)
  }
  assert.equal((await spawnNamed(back, 'kept-7')).status, 409)
  assert.equal((await second.request('GET', '/v1/names/kept-7')).status, 200)
  assert.equal(events.history.filter((event) => event.event === 'registry.lost').length, 0)
  events.close()
})

// ---- watches ----

test('watches whose clients leave are forgotten', async (t) => {
  const cluster = await startCluster(t, 1, { args: ['--workers', '1'] })
  const { first } = cluster
  const about = (await askRegistry(first, 'GET', '/v1/registry')).json
  const secret = secretOf(cluster.env.XDG_RUNTIME_DIR, about.cluster)
  const { revision } = (await askRegistry(first, 'GET', '/v1/registry/nodes', {
    authorization: sign(secret, about, 'GET', '/v1/registry/nodes'),
  })).json
  const target = `/v1/registry/watch?revision=${revision}&wait=30s`
  const waiting = async () => Number(/^troupe_http_requests_waiting (\d+)$/m.exec(
    (await first.request('GET', '/metrics')).text)?.[1] ?? NaN)
  const idle = await waiting()
  assert.ok(!Number.isNaN(idle), 'there is such a metric')
  const descriptors = first.descriptors()
  const ids = 'abcdefghjk'
  for (let i = 0; i < (isSanitized ? 200 : 1000); i++) {
    // Of many nodes, of which each has one watch; some are replaced, some are left, and one by one they go.
    const node = `n.00000000000${ids[i % 10]}${ids[(i >> 2) % 10]}`
    const connection = await Connection.open(first.port)
    connection.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n` +
      `Authorization: ${sign(secret, about, 'GET', target, '', { node })}\r\n\r\n`)
    if (i % 5 === 0) await eventually(async () => await waiting() > idle, 'it waits')
    else await connection.flushed()
    connection.close()
  }
  await eventually(async () => await waiting() === idle, 'nobody waits any more')
  await eventually(() => first.descriptors() <= descriptors, 'their descriptors are closed')
})

test('a watch that waits is answered when the registry ends', async (t) => {
  const first = await start(t, ['--workers', '1'])
  const about = (await askRegistry(first, 'GET', '/v1/registry')).json
  const secret = secretOf(first.folder, about.cluster)
  const list = (await askRegistry(first, 'GET', '/v1/registry/nodes', {
    authorization: sign(secret, about, 'GET', '/v1/registry/nodes'),
  })).json
  const watches = []
  for (let i = 0; i < 20; i++) {
    const target = `/v1/registry/watch?revision=${list.revision + (i % 2)}&wait=30s`
    const connection = await Connection.open(first.port)
    const node = `n.00000000000${'abcdefghjk'[i % 10]}${'ab'[i > 9 ? 1 : 0]}`
    connection.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n` +
      `Authorization: ${sign(secret, about, 'GET', target, '', { node })}\r\n\r\n`)
    await connection.flushed()
    watches.push(connection)
  }
  const began = performance.now()
  await first.stop() // with a sanitizer it also says if anything is used after its end
  assert.ok(performance.now() - began < 8000, 'nobody waits for them')
  await Promise.all(watches.map((connection) => connection.untilClosed()))
  assert.doesNotMatch(first.stderr, /Sanitizer/)
})
