// SPDX-License-Identifier: Apache-2.0
//
// Nodes that are one cluster: joining, and who does not get in. What happens to members then is in
// cluster_life.test.mjs.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'

import { members, runtimeFolder, startCluster } from './lib/cluster.mjs'
import { askRegistry, peerPortOf, secretOf, sign } from './lib/proof.mjs'
import { Connection } from './lib/socket.mjs'
import { isSanitized, run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const LEASE_MS = isSanitized ? 4000 : 2000 // short, and yet longer than a busy machine keeps a node from renewing
const lease = ['--lease', `${LEASE_MS}ms`, '--workers', '1']

const secretIn = (cluster) => secretOf(cluster.env.XDG_RUNTIME_DIR, cluster.first.ready.cluster)

const stateOf = async (node, id) => (await members(node)).find((one) => one.node === id)?.state ?? 'gone'

// ---- joining ----

test('the session of the README: a second node joins, and both list both', async (t) => {
  const cluster = await startCluster(t, 2)
  const [first, second] = cluster.nodes
  assert.equal(second.ready.cluster, first.ready.cluster)
  assert.notEqual(second.ready.api, first.ready.api)
  await cluster.untilAllAgree()
  const lists = await Promise.all(cluster.nodes.map(members))
  assert.deepEqual(lists[0], lists[1])
  assert.deepEqual(lists[0].map(({ api }) => api).sort(), [first.ready.api, second.ready.api].sort())
  for (const node of cluster.nodes) {
    const one = (await node.request('GET', `/v1/nodes/${second.ready.node}`)).json
    assert.deepEqual([one.api, one.peer, one.state], [second.ready.api, second.ready.peer, 'up'])
    const about = (await second.request('GET', '/v1/nodes/self')).json
    assert.deepEqual(about, one)
  }
})

test('a node that has not joined yet answers probes, refuses the rest, and ends when told', async (t) => {
  const [free, node] = await startUnjoined(t)
  await node.line((line) => line.includes('has not joined yet'), 'stderr')
  const statuses = {}
  for (const target of ['/livez', '/readyz', '/v1/node', '/v1/actors']) {
    const connection = await Connection.open(free)
    statuses[target] = (await connection.request('GET', target)).status
    connection.close()
  }
  assert.deepEqual(statuses, { '/livez': 200, '/readyz': 503, '/v1/node': 503, '/v1/actors': 503 })
  assert.equal(node.stdout, '')
  await node.stop()
})

async function startUnjoined(t) {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return [port, run(t, ['--listen-api', `127.0.0.1:${port}`, '--join', 'http://127.0.0.1:9'])] // the discard service
}

test('the registry may come later: its ports file appears, and the node joins', async (t) => {
  const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
  const folder = temporaryFolder(t)
  const early = run(t, [...lease, '--announce', 'json', '--join', `file:${folder}/ports.json`], { env })
  await early.line((line) => line.includes('cannot be read'), 'stderr')
  const first = await start(t, lease, { env, folder })
  const ready = JSON.parse(await early.line((line) => line.startsWith('{')))
  assert.equal(ready.cluster, first.ready.cluster)
  await early.stop()
})

test('a member names the registry that it has joined, to those who ask it for one', async (t) => {
  const cluster = await startCluster(t, 2, { args: lease })
  const refused = await askRegistry(cluster.nodes[1], 'GET', '/v1/registry')
  assert.equal(refused.status, 409)
  assert.equal(refused.json.code, 'wrong_cluster')
  assert.match(refused.json.detail, new RegExp(cluster.first.api))
})

// ---- who does not get in ----

const assertNoJoin = async (process_, pattern, status = 5) => {
  const { code, stdout, stderr } = await process_.untilExit()
  assert.equal(code, status, stderr)
  assert.match(stderr, pattern)
  assert.equal(stdout, '')
}

test('a user who does not have the secret cannot join', async (t) => {
  const first = await start(t, lease)
  await assertNoJoin(run(t, ['--join', first.api]), /secret of cluster c\.\w+ is not there.*--secret-file/)
  assert.equal((await members(first)).length, 1)
})

test('a node with a wrong secret is never a member, and its log says why', async (t) => {
  const first = await start(t, lease)
  const file = path.join(temporaryFolder(t), 'secret')
  writeFileSync(file, 'sixteen bytes or more\n', { mode: 0o600 })
  const stranger = run(t, ['--join', first.api, '--secret-file', file])
  await stranger.line((line) => /does not take this node's secret/.test(line), 'stderr')
  assert.equal((await members(first)).length, 1)
  await stranger.stop()
})

for (const [what, content, pattern] of [
  ['is too short', 'short', /--secret-file.*16 to 256 bytes/],
  ['is too long', 'x'.repeat(257), /--secret-file.*16 to 256 bytes/],
  ['is not there', null, /--secret-file: cannot read/],
]) {
  test(`a secret file that ${what} is refused at the start`, async (t) => {
    const file = path.join(temporaryFolder(t), 'secret')
    if (content !== null) writeFileSync(file, content)
    await assertNoJoin(run(t, ['--secret-file', file]), pattern, 1)
  })
}

test('nodes with the same secret file join without a runtime directory in common', async (t) => {
  const file = path.join(temporaryFolder(t), 'secret')
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  const first = await start(t, [...lease, '--secret-file', file])
  const second = await start(t, [...lease, '--secret-file', file, '--join', first.api])
  assert.equal((await members(first)).length, 2)
  await second.stop()
})

test('a registry that others can reach takes nobody without a secret file', async (t) => {
  const first = await start(t, [...lease, '--listen-api', '0.0.0.0:0', '--insecure'])
  const refused = await askRegistry(first, 'GET', '/v1/registry/nodes')
  assert.ok([401, 403, 503].includes(refused.status), refused.text)
  assert.match(refused.json.detail, /--secret-file/)
})

test('a node that advertises loopback to a cluster of several machines is refused with the remedy', async (t) => {
  const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
  const first = await start(t, [...lease, '--advertise', '192.0.2.1'], { env })
  await assertNoJoin(run(t, ['--join', first.ready.api_bound], { env }), /127\.0\.0\.1 cannot be reached.*--advertise/)
})

test('a data directory of another cluster is not taken along', async (t) => {
  const env = { XDG_RUNTIME_DIR: runtimeFolder(t) }
  const folder = temporaryFolder(t)
  const other = await start(t, [...lease, '--data-dir', `${folder}/data`], { env })
  await other.stop()
  const first = await start(t, lease, { env })
  await assertNoJoin(run(t, ['--join', first.api, '--data-dir', `${folder}/data`], { env }),
    new RegExp(`belongs to cluster ${other.ready.cluster}`))
})

test('a node is not a member before it was found where it says', async (t) => {
  const cluster = await startCluster(t, 1, { args: lease })
  const deaf = net.createServer((socket) => socket.unref()).listen(0, '127.0.0.1')
  await new Promise((resolve) => deaf.once('listening', resolve))
  t.after(() => deaf.close())
  for (const args of [
    ['--advertise', `127.0.0.1:${deaf.address().port}`],
    ['--advertise-peer', `127.0.0.1:${deaf.address().port}`],
    ['--advertise', `127.0.0.1:${cluster.first.port}`], // another node's
    ['--advertise-peer', `127.0.0.1:${peerPortOf(cluster.first)}`],
  ]) {
    const node = run(t, [...lease, '--announce', 'json', '--join', cluster.first.api, ...args], { env: cluster.env })
    await node.line((line) => /its (API address|peer port) 127\.0\.0\.1:\d+: /.test(line), 'stderr')
    assert.equal(node.stdout, '', args.join(' '))
    assert.deepEqual((await members(cluster.first)).filter((one) => one.state === 'up').length, 1)
    await node.stop()
  }
})

// ---- forged and replayed ----

const record = (about, id, more = {}) => ({
  node: id, revision: 1, state: 'joining', protocol: { min: 1, max: 1 }, version: '9.9.9', started_at_ms: 1,
  endpoints: [
    { purpose: 'api', scheme: 'http', host: '127.0.0.1', port: 9, bound_port: 9 },
    { purpose: 'peer', scheme: 'troupe', host: '127.0.0.1', port: 9, bound_port: 9 },
  ],
  ...more,
})

test('forged, foreign and replayed registrations are refused, and change nothing', async (t) => {
  const cluster = await startCluster(t, 1, { args: lease })
  const { first } = cluster
  const secret = secretIn(cluster)
  const about = (await askRegistry(first, 'GET', '/v1/registry')).json
  const id = 'n.0123456789abc'
  const target = `/v1/registry/nodes/${id}`
  const body = JSON.stringify(record(about, id))
  const good = (changes = {}, key = secret) => sign(key, about, 'PUT', target, body, { node: id, ...changes })
  const put = (authorization, sent = body) => askRegistry(first, 'PUT', target, { authorization, body: sent })
  for (const [what, authorization, sent] of [
    ['no proof', undefined],
    ['a token', 'Bearer tt_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
    ['another secret', good({}, 'x'.repeat(64))],
    ['another body', good(), body.replace('9.9.9', '9.9.8')],
    ['another epoch', good({ epoch: '0000000000000000' })],
    ['another cluster', good({ cluster: 'c.0000000000000' })],
    ['another method', sign(secret, about, 'DELETE', target, body, { node: id })],
    ['another target', sign(secret, about, 'PUT', `${target}/renew`, body, { node: id })],
    ['an old time', good({ time: about.time_ms - 31_000 })],
    ['a time to come', good({ time: about.time_ms + 40_000 })],
    ['half a header', good().slice(0, 60)],
  ]) {
    const response = await put(authorization, sent)
    assert.equal(response.status, 401, `${what}: ${response.text}`)
  }
  assert.equal((await members(first)).length, 1)
  const once = good()
  const taken = await put(once)
  assert.equal(taken.status, 200, taken.text)
  assert.equal(await stateOf(first, id), 'joining')
  const again = await put(once)
  assert.equal(again.status, 401)
  assert.equal(again.json.code, 'replayed')
  await eventually(async () => await stateOf(first, id) === 'gone', 'the lease of what does not renew ends')
  assert.equal((await put(good())).status, 410, 'the id is never taken again')
})

test('a runtime directory that others can write in is not used', async (t) => {
  const folder = temporaryFolder(t)
  mkdirSync(path.join(folder, 'troupe'), { mode: 0o777 })
  mkdirSync(path.join(folder, 'home'))
  const node = await start(t, [], { folder })
  assert.equal((await members(node)).length, 1)
})
