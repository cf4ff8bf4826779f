// SPDX-License-Identifier: Apache-2.0
//
// Trees of actors on a real node: spawned by REST, and as the application of trouped --app.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { startCluster } from './lib/cluster.mjs'
import { assertProblem } from './lib/problem.mjs'
import { run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const supervisor = (args, more = {}) => ({ behavior: 'supervisor', args, ...more })
const child = (id, more = {}) => ({ id, behavior: 'faulty', name: id, ...more })

const call = (node, to, type, json = {}) =>
  node.request('POST', `/v1/actors/${encodeURIComponent(to)}/call/${type}`, { json })

const children = async (node, to) => (await call(node, to, 'which_children')).json.items

async function refOf(node, name) {
  const response = await node.request('GET', `/v1/actors/@${name}`)
  return response.status === 200 ? response.json.ref : null
}

/** Each of the names leads to an actor, and to another one than before. */
async function restarted(node, before) {
  for (const [name, ref] of Object.entries(before)) {
    await eventually(async () => {
      const now = await refOf(node, name)
      return now !== null && now !== ref
    }, `${name} is started again`)
  }
}

/** A file in a folder of the test. */
function fileWith(t, content) {
  const file = path.join(temporaryFolder(t), 'app.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

// ---- by REST ----

test('a nested tree is spawned by one request, and stopped by one', async (t) => {
  const node = await start(t)
  const tree = await node.spawn('supervisor', {
    args: { children: [child('a'), { id: 'inner', behavior: 'supervisor', name: 'inner', args: { children: [child('b')] } }] },
  })
  assert.equal(tree.state, 'running')
  assert.deepEqual((await children(node, tree.ref)).map((item) => [item.id, item.state]), [['a', 'running'], ['inner', 'running']])
  assert.deepEqual((await children(node, '@inner')).map((item) => item.ref), [await refOf(node, 'b')])
  assert.equal((await node.request('DELETE', `/v1/actors/${tree.ref}`)).status, 204)
  for (const name of ['a', 'b', 'inner']) assert.equal(await refOf(node, name), null)
})

test('a mistake in a tree is a 422 that says where, and nothing is left of it', async (t) => {
  const node = await start(t)
  const wrong = supervisor({ children: [child('a'), child('b', { restart: 'often' })] })
  const refused = await node.request('POST', '/v1/actors', { json: wrong })
  assertProblem(refused, { status: 422, code: 'schema', detail: /children\[1\]\.restart/ })
  const late = supervisor({ children: [child('a'), child('b', { args: { init: 'fail' } })] })
  const failed = await node.request('POST', '/v1/actors', { json: late })
  assertProblem(failed, { status: 500, code: 'start_failed' })
  assert.equal(failed.json.detail, 'b: it was told to fail in init')
  assert.equal(await refOf(node, 'a'), null, 'a is ended before the answer comes')
})

test('one_for_all and rest_for_one start the right ones again', async (t) => {
  const node = await start(t)
  for (const [strategy, kept] of [['one_for_all', []], ['rest_for_one', ['x']]]) {
    const tree = await node.spawn('supervisor', { args: { strategy, children: ['x', 'y', 'z'].map((id) => child(id)) } })
    const before = Object.fromEntries(await Promise.all(['x', 'y', 'z'].map(async (id) => [id, await refOf(node, id)])))
    assert.equal((await node.request('DELETE', `/v1/actors/@y?mode=kill`)).status, 204)
    const { x, ...behind } = before
    await restarted(node, kept.length === 0 ? before : behind)
    if (kept.length > 0) assert.equal(await refOf(node, 'x'), x)
    assert.equal((await node.request('DELETE', `/v1/actors/${tree.ref}`)).status, 204)
  }
})

test('a child in backoff is listed, terminated, restarted and deleted', async (t) => {
  const node = await start(t)
  const slow = { backoff_min_ms: 600000, backoff_max_ms: 600000 }
  const { ref } = await node.spawn('supervisor', { args: { children: [child('a', slow)] } })
  assertProblem(await call(node, '@a', 'fail'), { status: 500, code: 'actor_failed' })
  await eventually(async () => (await children(node, ref))[0].state === 'restarting', 'the backoff')
  assertProblem(await call(node, ref, 'delete_child', { id: 'a' }), { status: 409, code: 'app.running' })
  assert.deepEqual((await call(node, ref, 'terminate_child', { id: 'a' })).json, { id: 'a' })
  assert.equal((await children(node, ref))[0].state, 'ended')
  const again = (await call(node, ref, 'restart_child', { id: 'a' })).json
  assert.equal(again.ref, await refOf(node, 'a'))
  assertProblem(await call(node, ref, 'restart_child', { id: 'a' }), { status: 409, code: 'app.running' })
  assert.equal((await call(node, ref, 'terminate_child', { id: 'a' })).status, 200)
  assert.equal((await call(node, ref, 'delete_child', { id: 'a' })).status, 200)
  assertProblem(await call(node, ref, 'terminate_child', { id: 'a' }), { status: 404, code: 'app.not_found' })
})

test('which_children and count_children are read by GET', async (t) => {
  const node = await start(t)
  const { ref } = await node.spawn('supervisor', { args: { children: [child('a')] } })
  const which = await node.request('GET', `/v1/actors/${ref}/call/which_children`)
  assert.deepEqual(which.json, {
    items: [{
      id: 'a', ref: await refOf(node, 'a'), state: 'running', restart: 'permanent', restarts: 0, behavior: 'faulty',
      name: 'a', significant: false,
    }],
    next: null,
  })
  const counts = (await node.request('GET', `/v1/actors/${ref}/call/count_children`)).json
  assert.deepEqual(counts, { specs: 1, active: 1, restarting: 0, supervisors: 1, workers: 0 })
})

// ---- trouped --app ----

test('an application runs when the node says that it is ready', async (t) => {
  const file = fileWith(t, supervisor({ children: [child('a', { args: { init: 'late', ms: 100 } }), child('b')] }, { name: 'app' }))
  const node = await start(t, ['--app', file])
  assert.deepEqual((await children(node, '@app')).map((item) => item.state), ['running', 'running'])
  const app = await refOf(node, 'app')
  assert.equal((await node.request('DELETE', '/v1/actors/@app?mode=kill')).status, 204)
  await restarted(node, { app }) // it is permanent
  await eventually(() => refOf(node, 'b'), 'its children')
  await node.stop()
})

test('an application may be any actor', async (t) => {
  const file = fileWith(t, { behavior: 'counter', name: 'hits', args: { value: 5 }, restart: 'temporary' })
  const node = await start(t, ['--app', file])
  assert.deepEqual((await call(node, '@hits', 'get')).json, { value: 5 })
})

test('a file that cannot be an application ends trouped with status 2', async (t) => {
  for (const [content, says] of [
    ['{"behavior":', /JSON|ends|unexpected|expected/i],
    [{ name: 'x' }, /behavior/],
    [{ behavior: 'no.such' }, /behavior: this node has no such behavior/],
    [{ behavior: 'echo', color: 1 }, /color/],
    [{ behavior: 'echo', name: '..' }, /name: a name has/],
  ]) {
    const { code, stdout, stderr } = await run(t, ['--app', fileWith(t, content)]).untilExit()
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, /^trouped: --app .*app\.json: /)
    assert.match(stderr, says)
  }
  const missing = await run(t, ['--app', '/no/such/file']).untilExit()
  assert.equal(missing.code, 2)
  assert.equal(missing.stderr, 'trouped: --app /no/such/file: No such file or directory\n')
})

test('an application that does not start ends trouped with status 6 and a line that says why', async (t) => {
  const file = fileWith(t, supervisor({ children: [child('a'), child('bad', { args: { init: 'fail' } })] }))
  const { code, stdout, stderr } = await run(t, ['--app', file]).untilExit()
  assert.equal(code, 6, stderr)
  assert.equal(stdout, '', 'it never was ready')
  assert.match(stderr, /the application did not start: start_failed: bad: it was told to fail in init/)
})

test('a node whose application still starts does not say that it is ready, and can be ended', async (t) => {
  const file = fileWith(t, supervisor({ children: [child('a', { start_timeout_ms: 600000, args: { init: 'hang' } })] }))
  const node = run(t, ['--app', file, '--log-level', 'debug'])
  await node.line((line) => line.includes('the application is being started'), 'stderr')
  node.signalTo('SIGINT')
  const { code, stdout } = await node.untilExit()
  assert.equal(stdout, '')
  assert.equal(code, 0)
})

test('of several nodes with the same application one has it, when it says so', async (t) => {
  const app = supervisor({ children: [child('a')] }, { name: 'app', if_exists: 'return' })
  const file = fileWith(t, app)
  const cluster = await startCluster(t, 2, { args: ['--app', file] })
  const refs = await Promise.all(cluster.nodes.map((node) => refOf(node, 'app')))
  const here = refs.filter((ref, i) => ref !== null && ref.startsWith(cluster.nodes[i].ready.node))
  assert.equal(here.length, 1)
})
