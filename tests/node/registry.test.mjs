// SPDX-License-Identifier: Apache-2.0
//
// The registry endpoint as docs/registry.md has it, asked by a test that has the secret and speaks for the second node of
// a cluster. Every answer is held against /openapi.json; the last test says which operations were never exercised.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { startCluster } from './lib/cluster.mjs'
import { Contract } from './lib/contract.mjs'
import { assertProblem } from './lib/problem.mjs'
import { askRegistry, secretOf, sign } from './lib/proof.mjs'
import { suite } from './lib/suite.mjs'

let cluster, registry, member, secret, about, contract

before(async () => {
  cluster = await startCluster(suite, 2)
  registry = cluster.nodes[0]
  member = cluster.nodes[1].ready.node
  contract = await Contract.of(registry)
  about = (await ask('GET', '/v1/registry', { open: true })).json
  secret = secretOf(cluster.env.XDG_RUNTIME_DIR, about.cluster)
})

/** A request in the name of the member, signed unless it is `open`. */
async function ask(method, target, { json, open = false, node = member } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json)
  const authorization = open ? undefined : sign(secret, about, method, target, body, { node })
  const response = await askRegistry(registry, method, target, { authorization, body })
  contract.see(method, target, response)
  return response
}

const claim = (name, ref, more = {}) => ask('PUT', `/v1/registry/names/${name}`, { json: { node: member, ref, ...more } })

test('it tells the cluster, the epoch and the lease to everybody', () => {
  assert.equal(about.cluster, registry.ready.cluster)
  assert.equal(about.node, registry.ready.node)
  assert.match(about.epoch, /^\S+$/)
  assert.ok(about.renew_ms < about.lease_ms)
})

test('the identity of a node is proven over the nonce of who asks', async () => {
  const nonce = 'ab'.repeat(16)
  const response = await ask('GET', `/v1/registry/identity?nonce=${nonce}`, { open: true })
  assert.equal(response.json.node, registry.ready.node)
  assert.match(response.headers.get('troupe-proof'), /^[0-9a-f]{64}$/)
})

test('the members are listed with the revision of the list', async () => {
  const { json } = await ask('GET', '/v1/registry/nodes')
  assert.deepEqual(json.nodes.map((one) => one.state), ['up', 'up'])
  assert.ok(json.revision > 0)
})

test('a new record of a member is an event, which a watch tells at once', async () => {
  const { json } = await ask('GET', '/v1/registry/nodes')
  const record = json.nodes.find((one) => one.node === member)
  // A node has one watch at a time, and the member has its own.
  const watching = ask('GET', `/v1/registry/watch?revision=${json.revision}&wait=10s`, { node: registry.ready.node })
  const put = await ask('PUT', `/v1/registry/nodes/${member}`, {
    json: { ...record, revision: record.revision + 1, labels: { zone: 'b' } },
  })
  assert.equal(put.status, 200, put.text)
  const watched = await watching
  assert.equal(watched.status, 200, watched.text)
  assert.ok(watched.json.events.length > 0 && watched.json.revision > json.revision, watched.text)
})

test('a lease is renewed', async () => {
  const response = await ask('POST', `/v1/registry/nodes/${member}/renew`, { json: { state: 'up' } })
  assert.equal(response.status, 200, response.text)
})

test('a name is claimed once, found, and given back by who has it alone', async () => {
  const mine = `${member}.7.1`
  assert.equal((await claim('taken', mine)).status, 200)
  assert.equal((await claim('taken', mine)).status, 200, 'to claim again is no harm')
  const other = await claim('taken', `${member}.8.1`)
  assertProblem(other, { status: 409, code: 'name_taken', field: 'name' })
  assert.equal(other.json.actor, mine)
  assert.equal((await ask('GET', '/v1/registry/names/taken')).json.ref, mine)
  assert.equal((await ask('DELETE', `/v1/registry/names/taken?ref=${member}.8.1`)).status, 404)
  assert.equal((await ask('DELETE', `/v1/registry/names/taken?ref=${mine}`)).status, 204)
  assert.equal((await ask('GET', '/v1/registry/names/taken')).status, 404)
})

test('many names are claimed and given back at once; the answer says which were refused', async () => {
  const ref = (i) => `${member}.${i}.1`
  const many = (json) => ask('POST', `/v1/registry/nodes/${member}/names`, { json })
  const claimed = await many({ claim: [1, 2, 3].map((i) => ({ name: `many-${i}`, ref: ref(i) })) })
  assert.deepEqual([claimed.status, claimed.json], [200, { refused: [] }], claimed.text)
  const mixed = await many({
    claim: [
      { name: 'many-1', ref: ref(9) }, { name: 'many-4', ref: ref(4), held: true },
      { name: 'many-5', ref: `${registry.ready.node}.5.1` },
    ],
    release: [{ name: 'many-2', ref: ref(2) }, { name: 'many-3', ref: ref(9) }, { name: 'nobodys', ref: ref(9) }],
  })
  assert.equal(mixed.status, 200, mixed.text)
  assert.deepEqual(mixed.json.refused, [
    { name: 'many-1', code: 'name_taken', actor: ref(1) },
    { name: 'many-5', code: 'invalid' },
  ])
  const holders = await Promise.all([1, 2, 3, 4].map((i) => ask('GET', `/v1/registry/names/many-${i}`)))
  assert.deepEqual(holders.map((answer) => answer.json.ref), [ref(1), undefined, ref(3), ref(4)])
  for (const bad of [
    { claim: [{ name: 'many-6', ref: ref(6) }, { name: 'many-7' }] }, { claim: {} }, { release: [7] },
    { claim: [{ name: 'many-6', ref: 'x' }] },
    { claim: Array.from({ length: 1025 }, (_, i) => ({ name: `many-6-${i}`, ref: ref(i + 1) })) },
  ]) assertProblem(await many(bad), { status: 422, code: 'schema' })
  assert.equal((await ask('GET', '/v1/registry/names/many-6')).status, 404, 'nothing of a bad batch is done')
  assertProblem(await many({ seq: 3, floor: 9, claim: [] }), { status: 401, code: 'replayed', field: 'seq' })
  const other = await ask('POST', `/v1/registry/nodes/${registry.ready.node}/names`, { json: {} })
  assertProblem(other, { status: 403, code: 'forbidden', field: 'node' })
})

test('without a proof nothing is told but who is here', async () => {
  const operations = contract.operations.filter((one) => one.includes(' /v1/registry'))
  for (const operation of operations) {
    const [method, template] = operation.split(' ')
    const target = template.replace('{node}', member).replace('{name}', 'x')
    if (['/v1/registry', '/v1/registry/identity'].includes(target)) continue
    const response = await ask(method, target, { open: true, json: method === 'GET' ? undefined : {} })
    assert.equal(response.status, 401, `${operation}: ${response.text}`)
  }
})

test('a member is asked to drain, and leaves', async () => {
  assert.equal((await ask('POST', `/v1/registry/nodes/${member}/drain`)).status, 204)
  await cluster.nodes[1].untilExit()
  const { json } = await ask('GET', `/v1/registry/nodes`)
  assert.deepEqual(json.nodes.map((one) => one.node), [registry.ready.node])
  const again = await ask('POST', `/v1/registry/nodes/${member}/renew`, { json: { state: 'up' } })
  assertProblem(again, { status: 410, code: 'not_member' })
})

test('a record that a node puts is up only after it was found there; it may leave before', async () => {
  const { json } = await ask('GET', '/v1/registry/nodes')
  member = `${member.slice(0, -1)}${member.endsWith('0') ? '1' : '0'}`
  const [record] = json.nodes
  const put = await ask('PUT', `/v1/registry/nodes/${member}`, { json: { ...record, node: member, state: 'joining' } })
  assert.equal(put.status, 200, put.text)
  assert.equal((await ask('DELETE', `/v1/registry/nodes/${member}`)).status, 204)
})

test('every operation of the registry was exercised, and answered as documented', () => {
  const missing = contract.unexercised.filter((one) => one.includes(' /v1/registry'))
  assert.deepEqual(missing, [])
  assert.deepEqual(contract.faults, [])
})
