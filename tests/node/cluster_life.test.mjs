// SPDX-License-Identifier: Apache-2.0
//
// The life of a cluster: names, drain, a registry that is away, leases that end, many nodes, ports that others take.

import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'

import { members, runtimeFolder, startCluster } from './lib/cluster.mjs'
import { openEvents } from './lib/events.mjs'
import { askPeer, askRegistry, peerPortOf, secretOf } from './lib/proof.mjs'
import { isSanitized, run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually, within } from './lib/wait.mjs'

const LEASE_MS = isSanitized ? 4000 : 2000 // short, and yet longer than a busy machine keeps a node from renewing
const lease = ['--lease', `${LEASE_MS}ms`, '--workers', '1']
const SLOWNESS = Number(process.env.TROUPE_TEST_SLOWNESS ?? 1) // of sanitized builds

const spawnNamed = (node, name, more = {}) =>
  node.request('POST', '/v1/actors', { json: { behavior: 'counter', name, ...more } })

/** Nodes that an event was told of, and how often. */
const tally = (stream, type) => {
  const counts = new Map()
  for (const { event, json } of stream.history) {
    if (event === type) counts.set(json.node, (counts.get(json.node) ?? 0) + 1)
  }
  return counts
}

// ---- names ----

test('a name is given once in the cluster, whichever node is asked', async (t) => {
  const cluster = await startCluster(t, 3, { args: lease })
  for (let i = 0; i < 20; i++) {
    const answers = await Promise.all(cluster.nodes.map((node) => spawnNamed(node, `name-${i}`)))
    const statuses = answers.map((answer) => answer.status).sort()
    assert.deepEqual(statuses, [201, 409, 409], answers.map((answer) => answer.text).join('\n'))
    const ref = answers.find((answer) => answer.status === 201).json.ref
    await Promise.all(cluster.nodes.map(async (node) => {
      const found = await node.request('GET', `/v1/names/name-${i}`)
      assert.equal(found.json?.ref, ref, `${node.ready.node}: ${found.text}`)
    }))
  }
  const [, , third] = cluster.nodes
  const returned = await spawnNamed(third, 'name-0', { if_exists: 'return' })
  assert.equal(returned.status, 200, returned.text)
  const found = await third.request('GET', '/v1/names/name-0')
  assert.equal(returned.json.ref, found.json.ref)
})

test('a name is free again when its actor or its node has ended', async (t) => {
  const cluster = await startCluster(t, 2, { args: lease })
  const [first, second] = cluster.nodes
  const actor = (await spawnNamed(second, 'phoenix')).json
  assert.equal((await second.request('DELETE', `/v1/actors/${actor.ref}`)).status, 204)
  await eventually(async () => (await spawnNamed(first, 'phoenix')).status === 201, 'the name of an ended actor')
  assert.equal((await spawnNamed(second, 'heir')).status, 201)
  assert.equal((await spawnNamed(first, 'heir')).status, 409)
  await cluster.kill(second)
  await eventually(async () => (await spawnNamed(first, 'heir')).status === 201, 'the name of a dead node')
})

test('a call to an actor of another node says where it is', async (t) => {
  const cluster = await startCluster(t, 2, { args: lease })
  const [first, second] = cluster.nodes
  const actor = (await spawnNamed(second, 'far')).json
  for (const who of [actor.ref, '@far']) {
    const response = await first.request('POST', `/v1/actors/${who}/call/add`, { json: { by: 1 } })
    assert.equal(response.status, 503, response.text)
    assert.equal(response.json.code, 'unreachable')
    assert.match(response.json.detail, new RegExp(second.api))
  }
})

// ---- drain and leave ----

test('a node drains when another one is asked, and its end is told', async (t) => {
  const cluster = await startCluster(t, 2, { args: [...lease, '--drain-timeout', '5s'] })
  const [first, second] = cluster.nodes
  const events = await openEvents(first, '/v1/events')
  const answer = await first.request('POST', `/v1/nodes/${second.ready.node}/drain`)
  assert.equal(answer.status, 202, answer.text)
  const { code } = await second.untilExit()
  assert.equal(code, 0)
  const left = await events.next((event) => event.event === 'node.left')
  assert.equal(left.json.node, second.ready.node)
  events.close()
  const gone = await first.request('GET', `/v1/nodes/${second.ready.node}`)
  assert.equal(gone.status, 410)
  assert.equal((await first.request('POST', `/v1/nodes/${second.ready.node}/drain`)).status, 410)
  assert.equal((await first.request('POST', '/v1/nodes/n.0123456789abc/drain')).status, 404)
  assert.equal((await first.request('GET', '/v1/nodes/nobody')).status, 404)
})

test('a node drains itself when it is asked, and so does the registry when a member is', async (t) => {
  const cluster = await startCluster(t, 3, { args: lease })
  const [first, second, third] = cluster.nodes
  assert.equal((await third.request('POST', '/v1/nodes/self/drain')).status, 202)
  assert.equal((await third.untilExit()).code, 0)
  assert.equal((await second.request('POST', `/v1/nodes/${first.ready.node}/drain`)).status, 202)
  assert.equal((await first.untilExit()).code, 0)
})

// ---- the registry is away ----

test('the end of the node that keeps the registry is told, and nobody lists it any more', async (t) => {
  const { nodes: [first, second] } = await startCluster(t, 2, { args: lease })
  const events = await openEvents(second, '/v1/events')
  first.signalTo('SIGTERM')
  const left = await events.next((event) => event.event === 'node.left')
  assert.equal(left.json.node, first.ready.node)
  assert.deepEqual((await members(second)).map((one) => one.node), [second.ready.node])
  assert.equal((await first.untilExit()).code, 0)
  events.close()
})

test('a node whose registry is gone stays ready, says so, and finds it again', async (t) => {
  const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
  const folder = temporaryFolder(t)
  const args = [...lease, '--data-dir', `${folder}/data`]
  const first = await start(t, args, { env, folder })
  const port = first.port
  const second = await start(t, [...lease, '--join', `file:${first.portsFile}`], { env })
  assert.equal((await spawnNamed(second, 'kept')).status, 201)
  const events = await openEvents(second, '/v1/events')
  first.signalTo('SIGKILL')
  await first.untilExit()
  await events.next((event) => event.event === 'registry.lost')
  assert.equal((await second.request('GET', '/readyz')).status, 200)
  assert.equal(typeof (await second.request('GET', '/v1/node')).json.trouble, 'string')
  assert.equal((await second.request('GET', '/healthz')).json.status, 'ok')
  const refused = await spawnNamed(second, 'late')
  assert.equal(refused.status, 503)
  assert.equal(refused.json.code, 'registry_lost')
  assert.equal((await second.request('POST', '/v1/actors', { json: { behavior: 'counter' } })).status, 201)

  const back = await start(t, [...args, '--listen-api', `127.0.0.1:${port}`], { env, folder })
  assert.equal(back.ready.cluster, first.ready.cluster)
  await events.next((event) => event.event === 'registry.found')
  await eventually(async () => (await members(back)).length === 2, 'the member is there again')
  await eventually(async () => (await spawnNamed(second, 'late')).status === 201, 'names are given again')
  events.close()
})

test('a registry that is killed and started again grants no name twice, and nobody but joiners notices', async (t) => {
  const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
  const folder = temporaryFolder(t)
  const args = ['--lease', '6s', '--workers', '1', '--data-dir', `${folder}/data`]
  const first = await start(t, args, { env, folder })
  const others = await Promise.all([1, 2].map(() =>
    start(t, ['--lease', '6s', '--workers', '1', '--join', `file:${folder}/ports.json`], { env })))
  const held = await Promise.all(others.map((node, i) => spawnNamed(node, `held-${i}`)))
  assert.deepEqual(held.map((answer) => answer.status), [201, 201])
  const streams = await Promise.all(others.map((node) => openEvents(node, '/v1/events')))
  first.signalTo('SIGKILL')
  await first.untilExit()
  const second = await start(t, args, { env, folder })
  assert.equal(second.ready.cluster, first.ready.cluster)
  assert.notEqual(second.ready.node, first.ready.node)
  // In the silence nothing is granted that a member may still have.
  const greedy = await Promise.all([0, 1].map((i) => spawnNamed(second, `held-${i}`)))
  for (const answer of greedy) assert.ok([409, 503].includes(answer.status), answer.text)
  // A joiner is taken at once.
  const third = await start(t, ['--lease', '6s', '--workers', '1', '--join', second.api], { env })
  await eventually(async () => {
    const up = (await members(second)).filter((one) => one.state === 'up')
    return up.length === 4
  }, 'all have come back')
  for (const [i, answer] of held.entries()) {
    for (const node of [second, third, ...others]) {
      await eventually(async () => {
        const found = await node.request('GET', `/v1/names/held-${i}`)
        assert.ok(found.status !== 200 || found.json.ref === answer.json.ref, `${node.ready.node} gave held-${i} away`)
        return found.status === 200
      }, `${node.ready.node} finds held-${i}`)
    }
    assert.equal((await spawnNamed(second, `held-${i}`)).status, 409)
  }
  for (const [i, stream] of streams.entries()) {
    assert.equal(tally(stream, 'registry.lost').size, 0)
    assert.equal(tally(stream, 'node.down').get(others[1 - i].ready.node), undefined)
    stream.close()
  }
})

test('a node that slept through its lease ends, so that nobody takes it for a member', async (t) => {
  const cluster = await startCluster(t, 2, { args: lease })
  const [first, second] = cluster.nodes
  const events = await openEvents(first, '/v1/events')
  second.signalTo('SIGSTOP')
  const down = await events.next((event) => event.event === 'node.down')
  assert.equal(down.json.node, second.ready.node)
  events.close()
  second.signalTo('SIGCONT')
  const { code, stderr } = await second.untilExit()
  assert.equal(code, 71, stderr)
  assert.match(stderr, /ended this node's lease/)
})

// ---- many ----

test('50 nodes at once: up within 5 s; ten are killed: gone within a lease, told once each', async (t) => {
  const cluster = await startCluster(t, 1, { args: lease })
  const began = performance.now()
  await cluster.grow(49)
  const took = performance.now() - began
  t.diagnostic(`49 nodes joined within ${Math.round(took)} ms`)
  assert.ok(took < 5000 * SLOWNESS, `it took ${Math.round(took)} ms`)
  const [first, ...others] = cluster.nodes
  const ports = cluster.nodes.flatMap((node) => [node.port, peerPortOf(node)])
  assert.equal(new Set(ports).size, 100, 'no port is used twice')
  await cluster.untilAllAgree()

  const survivor = others[0]
  const streams = [await openEvents(first, '/v1/events'), await openEvents(survivor, '/v1/events')]
  const dead = others.slice(-10)
  const deadIds = dead.map((node) => node.ready.node).sort()
  const killed = performance.now()
  await cluster.kill(...dead)
  const gone = async (node) => !(await members(node)).some((one) => deadIds.includes(one.node))
  await eventually(() => gone(first), 'the ten are gone')
  const late = performance.now() - killed
  assert.ok(late < LEASE_MS + 1000 * SLOWNESS, `after ${Math.round(late)} ms`)
  await eventually(() => gone(survivor), 'the ten are gone at a survivor too')
  await others[1].stop() // its event comes behind all of those
  for (const stream of streams) {
    await stream.next((event) => event.event === 'node.left')
    const downs = tally(stream, 'node.down')
    assert.deepEqual([...downs.keys()].sort(), deadIds)
    assert.deepEqual([...new Set(downs.values())], [1], 'each is told once')
    stream.close()
  }
})

test('50 ports of dead nodes are used by others within the lease: never taken for the old nodes', async (t) => {
  const cluster = await startCluster(t, 1, { args: ['--lease', '4s', '--workers', '1'] })
  const { first } = cluster
  const secret = secretOf(cluster.env.XDG_RUNTIME_DIR, first.ready.cluster)
  const stream = await openEvents(first, '/v1/events')
  await cluster.grow(25)
  const dead = cluster.nodes.slice(1)
  const old = dead.map((node) => ({ id: node.ready.node, ports: [node.port, peerPortOf(node)] }))
  const identities = await Promise.all(dead.map((node) =>
    askRegistry(node, 'GET', `/v1/registry/identity?nonce=${'0'.repeat(32)}`)))
  await cluster.kill(...dead)
  // Both ports of each, 50 in all, are bound again while the registry still believes in the old node.
  const impostors = await Promise.all(old.map(({ ports }, i) => impersonate(t, i % 3, ports, identities[i], cluster)))
  assert.ok((await members(first)).some((one) => one.node === old[0].id && one.state === 'up'), 'the lease runs still')
  await Promise.all(old.map(async ({ id, ports }) => {
    const there = await askPeer(ports[1], secret, first.ready.cluster, id, { deadlineMs: 1000 }).catch(() => null)
    assert.equal(there, null, `${id} seems to live at ${ports[1]}`)
  }))
  // Who says that it is where an impostor sits does not get in.
  const liars = old.filter((_, i) => i % 3 < 2).slice(0, 4).map(({ ports }) => run(t,
    ['--lease', '4s', '--workers', '1', '--join', first.api, '--advertise', `127.0.0.1:${ports[0]}`],
    { env: cluster.env }))
  await Promise.all(liars.map((liar) => liar.line((line) => line.includes('its API address'), 'stderr')))
  await eventually(async () => (await members(first)).every((one) => !old.some(({ id }) => id === one.node)),
    'the old nodes are gone')
  await (await cluster.join()).stop()
  await stream.next((event) => event.event === 'node.left') // behind all others
  const ups = tally(stream, 'node.up')
  const downs = tally(stream, 'node.down')
  for (const { id } of old) assert.deepEqual([ups.get(id), downs.get(id)], [1, 1], id)
  assert.ok(liars.every((liar) => liar.stdout === ''))
  await Promise.all(liars.map((liar) => liar.stop()))
  await Promise.all(impostors.filter(Boolean).map((node) => node.end()))
  stream.close()
})

/** Take the ports of a dead node: deaf sockets, a replay of its identity, a node of another cluster. */
async function impersonate(t, kind, [api, peer], identity, cluster) {
  if (kind === 2) {
    return start(t, ['--workers', '1', '--listen-api', `127.0.0.1:${api}`, '--listen-peer', `127.0.0.1:${peer}`])
  }
  const replay = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${identity.text.length}\r\n` +
    `Troupe-Proof: ${identity.headers.get('troupe-proof')}\r\n\r\n${identity.text}`
  for (const port of [api, peer]) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.unref()
      if (kind === 1) socket.once('data', () => socket.end(replay))
    }).listen(port, '127.0.0.1')
    await within(new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject)),
      `to bind port ${port} again, of cluster ${cluster.first.ready.cluster}`)
    t.after(() => server.close())
  }
  return null
}
