// SPDX-License-Identifier: Apache-2.0
//
// Pools by REST, on real threads: load, crashes, a worker that is stuck in its turn, drain.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { compile } from './lib/plugin.mjs'
import { assertProblem } from './lib/problem.mjs'
import { suite } from './lib/suite.mjs'
import { start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

// It does what no behavior should: a call of `stay` keeps its thread for 1.5 s. `wait` is answered as late, by a timer.
const STONE = `#include <time.h>
#include <troupe/behavior.h>
struct stone { troupe_handle handle; };
static const troupe_type types[] = {{.name = "stay"}, {.name = "wait"}};
static int receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    struct stone *stone = state;
    uint64_t timer;
    if (msg->kind == TROUPE_MSG_TIMER)
        return troupe_reply_to(ctx, stone->handle, troupe_body_json("1", 1));
    if (msg->op == 1) {
        int rc = troupe_reply_keep(ctx, &stone->handle);
        return rc ? rc : troupe_timer_after(ctx, 1500, "wake", troupe_body_none(), &timer);
    }
    nanosleep(&(struct timespec){1, 500000000}, NULL);
    return troupe_reply(ctx, troupe_body_json("1", 1));
}
static const troupe_behavior behavior = {
    TROUPE_BEHAVIOR_HEAD, .name = "stone", .version = "1.0.0", .types = types, .types_count = 2,
    .state_bytes = sizeof(struct stone), .receive = receive};
TROUPE_EXPORT_BEHAVIORS(&behavior);
`

let node
let pools = 0

before(async () => {
  const folder = temporaryFolder(suite)
  const flags = ['-shared', '-fPIC', '-D_POSIX_C_SOURCE=200809L']
  const stone = compile(folder, 'stone', STONE, { flags })
  node = await start(suite, ['--workers', '2', '--behavior', stone], { folder })
})

/** A new pool: its path, and what to do with it. */
async function pool(worker, args = {}) {
  const name = `pool-${++pools}`
  await node.spawn('pool', { name, args: { worker, ...args } })
  const post = (how) => (type, json = {}) => node.request('POST', `/v1/actors/@${name}/${how}/${type}`, { json })
  const call = post('call')
  const stats = async () => {
    const { json } = await call('pool.stats')
    const ends = ['completed', 'failed', 'shed', 'expired', 'abandoned', 'waiting', 'in_flight']
    assert.equal(json.accepted, ends.reduce((sum, member) => sum + json[member], 0), JSON.stringify(json))
    return json
  }
  return { name, call, cast: post('cast'), stats }
}

test('many callers at once are all answered, each with its own answer', async () => {
  const { call, stats } = await pool({ behavior: 'echo' }, { size: 4, queue_max: 500 })
  const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => call('any', { i })))
  answers.forEach((answer, i) => assert.deepEqual(answer.json, { i }))
  assert.equal((await stats()).completed, 300)
})

test('callers of a full pool are told, and none of them is forgotten', async () => {
  const { call, stats } = await pool({ behavior: 'faulty' }, { size: 1, queue_max: 5, shed: 'oldest' })
  const answers = await Promise.all(Array.from({ length: 60 }, () => call('late', { ms: 20 })))
  const told = { done: 0, shed: 0 }
  for (const answer of answers) {
    if (answer.status !== 200) assertProblem(answer, { status: 429, code: 'shed', retry: 'yes', outcome: 'not_done' })
    told[answer.status === 200 ? 'done' : 'shed']++
  }
  const figures = await stats()
  assert.equal(figures.completed, told.done)
  assert.equal(figures.shed + figures.refused_full, told.shed)
  assert.ok(told.done >= 6 && told.shed >= 1, JSON.stringify(told))
})

test('a worker that crashes answers its caller, and the others go on', async () => {
  const { call, stats } = await pool({ behavior: 'faulty' }, { size: 2, queue_max: 100 })
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => (i % 8 === 3 ? call('fail', { detail: 'on purpose' }) : call('late', { ms: 1 }))),
  )
  answers.forEach((answer, i) => {
    if (i % 8 === 3) assertProblem(answer, { status: 500, code: 'actor_failed', detail: /on purpose/ })
    else assert.equal(answer.status, 200, answer.text)
  })
  await eventually(async () => (await stats()).ready === 2)
  assert.equal((await stats()).crashes, 5)
})

test('a worker that is stuck in its turn is killed while it is, and a long job is not', async () => {
  const { call, stats } = await pool({ behavior: 'stone' }, { size: 2, dead_man_ms: 150 })
  const long = call('wait')
  const stuck = await call('stay')
  assertProblem(stuck, { status: 500, code: 'actor_killed', detail: /no sign of life/ })
  assert.equal((await long).status, 200)
  await eventually(async () => (await stats()).ready === 2)
  assert.equal((await stats()).killed, 1)
})

test('a pool is resized under load, drained, and stops', async () => {
  const { name, call, stats } = await pool({ behavior: 'faulty' }, { size: 1, queue_max: 500 })
  const answers = Promise.all(Array.from({ length: 100 }, () => call('late', { ms: 5 })))
  for (const size of [5, 2, 4]) assert.equal((await call('pool.resize', { size })).json.size, size)
  for (const answer of await answers) assert.equal(answer.status, 200, answer.text)
  assert.equal((await stats()).completed, 100)
  const last = call('late', { ms: 100 })
  await eventually(async () => (await stats()).in_flight === 1)
  const drained = call('pool.drain', { stop: true })
  await eventually(async () => (await call('late', { ms: 0 })).status !== 200)
  assert.equal((await last).status, 200)
  assert.deepEqual((await drained).json, { drained: true })
  await eventually(async () => (await node.request('GET', `/v1/actors/@${name}`)).status === 404)
})

test('bad args are refused with words that name the member', async () => {
  for (const [args, expected] of [
    [{}, { field: '/args/worker' }],
    [{ worker: { behavior: 'echo' }, size: 0 }, { field: '/args/size' }],
    [{ worker: { behavior: 'echo' }, routing: 'random' }, { field: '/args/routing' }],
    [{ worker: { behavior: 'echo' }, routing: 'key' }, { detail: /key is missing/ }],
  ]) {
    const response = await node.request('POST', '/v1/actors', { json: { behavior: 'pool', args } })
    assertProblem(response, { status: 422, code: 'schema', ...expected })
  }
})

test('a worker that cannot start refuses the pool', async () => {
  const args = { worker: { behavior: 'faulty', args: { init: 'fail' } }, size: 3 }
  const response = await node.request('POST', '/v1/actors', { json: { behavior: 'pool', args } })
  assert.ok(response.status >= 400, response.text)
  assert.match(response.json.detail, /a worker did not start/)
})
