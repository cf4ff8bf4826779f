// SPDX-License-Identifier: Apache-2.0
//
// Looking inside a node by the CLI: tree, trace, state, suspend and resume, dead letters, alarms, behaviors. Against a
// real node what they do, against a stand-in what they print.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

import { startStandIn, troupe, troupeAt } from './lib/troupe.mjs'
import { start } from './lib/trouped.mjs'
import { eventually, within } from './lib/wait.mjs'

/** It went well and complained of nothing; gives what it printed. */
function done(result) {
  assert.equal(result.stderr, '')
  assert.equal(result.code, 0)
  return result.stdout
}

/** It failed with this code and one line that fits. */
function failed(result, code, pattern) {
  assert.equal(result.code, code, result.stderr)
  assert.match(result.stderr, /^troupe: [^\n]+\n$/)
  assert.match(result.stderr, pattern)
}

const json = (response, document, status = 200, type = 'application/json') =>
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(document))

const event = (id, type, data) => `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`

/** Answer with an event stream; it stays open. */
function open(response, ...texts) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const text of texts) response.write(text)
}

// ---- tree ----

const actor = (slot, parent, more = {}) => ({
  ref: `n.a.${slot}.1`, name: null, behavior: 'counter', state: 'running', mailbox: { depth: 0 }, uptime_ms: 1000,
  started_at: '2026-01-02T03:04:05.678Z', parent: parent && `n.a.${parent}.1`, suspended: false, ...more,
})

/** A stand-in for a node with these actors, each of which restarted 3 children; and whom it was asked for. */
async function startForest(t, actors) {
  const asked = []
  const url = await startStandIn(t, (request, response) => {
    const [, ref] = /^\/v1\/actors\/(.+)$/.exec(request.url) ?? []
    if (ref === undefined) return json(response, { items: actors, next: null })
    asked.push(ref)
    const found = actors.find((one) => one.ref === ref || `@${one.name}` === ref)
    if (found) return json(response, { ...found, restarts: 3 })
    const problem = { code: 'not_found', status: 404, title: 'There is no such thing' }
    return json(response, problem, 404, 'application/problem+json')
  })
  const at = (LANG) => (...args) => troupe(['--url', url, 'tree', ...args], { env: { LC_ALL: '', LC_CTYPE: '', LANG } })
  return { tree: at('en_US.UTF-8'), plain: at('C'), asked }
}

const forest = [
  actor('10', '2'), actor('2', '1', { behavior: 'supervisor' }), actor('4', null, { suspended: true }),
  actor('1', null, { name: 'shop', behavior: 'supervisor', started_at: '2026-01-02T03:04:05.000Z' }),
  actor('3', '1', { mailbox: { depth: 12 }, name: 'hits' }), actor('9', '2'), actor('5', 'z'),
]

test('tree draws who started whom, the oldest first', async (t) => {
  const { tree, plain, asked } = await startForest(t, forest)
  assert.equal(done(await tree()), [
    'ACTOR           BEHAVIOR    STATE      DEPTH  RESTARTS  UPTIME',
    '@shop           supervisor  running        0         3    1.0s',
    '├─ n.a.2.1      supervisor  running        0         3    1.0s',
    '│  ├─ n.a.9.1   counter     running        0         -    1.0s',
    '│  └─ n.a.10.1  counter     running        0         -    1.0s',
    '└─ @hits        counter     running       12         -    1.0s',
    'n.a.4.1         counter     suspended      0         -    1.0s',
    'n.a.5.1         counter     running        0         -    1.0s', ''].join('\n'))
  assert.deepEqual(asked, ['n.a.1.1', 'n.a.2.1'], 'only those that can restart something are asked')
  const lines = done(await plain('@shop')).split('\n').map((line) => line.split(/ {2,}(?=counter|supervisor|BEH)/)[0])
  assert.deepEqual(lines.slice(1), ['@shop', '|- n.a.2.1', '|  |- n.a.9.1', '|  `- n.a.10.1', '`- @hits', ''])
  assert.ok(done(await tree('--ascii')).includes('`- @hits'))
})

test('tree is bounded by levels and by children, and says how many it left out', async (t) => {
  const many = Array.from({ length: 30 }, (_, i) => actor(`${40 + i}`, '1'))
  const { tree } = await startForest(t, [...forest, ...many])
  const flat = done(await tree('@shop', '--depth', '1', '--limit', '0')).split('\n')
  assert.equal(flat[3], '│  └─ ... 2 more')
  assert.equal(flat.length, 1 + 1 + 2 + 1 + 30 + 1)
  assert.equal(done(await tree('@shop')).split('\n').at(-2), '└─ ... 12 more')
  assert.deepEqual(done(await tree('@shop', '--depth', '0')).split('\n').slice(2), ['└─ ... 32 more', ''])
  failed(await tree('--depth', '65'), 2, /--depth is '65'; it must be a number from 0 to 64/)
  failed(await tree('@nobody'), 1, /cannot show the tree below @nobody: There is no such thing/)
})

test('tree as a document has the children in the actors', async (t) => {
  const { tree } = await startForest(t, forest)
  const { items } = JSON.parse(done(await tree('-o', 'json')))
  assert.deepEqual(items.map((item) => item.ref), ['n.a.1.1', 'n.a.4.1', 'n.a.5.1'])
  assert.deepEqual([items[0].restarts, items[0].children_count, items[1].restarts], [3, 2, null])
  assert.deepEqual(items[0].children.map((item) => item.ref), ['n.a.2.1', 'n.a.3.1'])
  assert.deepEqual(items[0].children[0].children.map((item) => item.ref), ['n.a.9.1', 'n.a.10.1'])
})

test('parents in a circle do not hold up tree', async (t) => {
  const { tree } = await startForest(t, [actor('1', '2'), actor('2', '1')])
  assert.equal(done(await tree()).split('\n').length, 2)
  assert.equal(done(await tree('n.a.1.1')).split('\n').length, 1 + 1 + 64 + 1 + 1)
})

test('tree shows a supervisor of a real node, and its restarts', async (t) => {
  const cli = troupeAt((await start(t)).api)
  const children = [{ id: 'a', behavior: 'counter', name: 'hits', restart: 'permanent' }]
  done(await cli('spawn', 'supervisor', '-n', 'shop', '--args', JSON.stringify({ strategy: 'one_for_one', children })))
  done(await cli('stop', '@hits', '--mode', 'kill'))
  const below = async () => JSON.parse(done(await cli('tree', '@shop', '-o', 'json'))).items[0]
  await eventually(async () => (await below()).children[0]?.name === 'hits', 'the child to be back')
  assert.equal((await below()).restarts, 1)
  assert.match(done(await cli('tree', '@shop', '--ascii')), /^@shop +supervisor .*\n`- @hits +counter +running +0 +- /m)
  const rounds = done(await cli('tree', '@shop', '--watch=100ms', '--rounds', '2', '-o', 'json')).trimEnd().split('\n')
  assert.deepEqual(rounds.map((line) => JSON.parse(line).items[0].name), ['shop', 'shop'])
})

// ---- trace ----

const message = {
  kind: 'call', type: 'add', from: null, subject: null, bytes: 8, content_type: null, duration_ns: 12_345, result: 'ok',
  error: null, left: 2,
}

test('trace prints a line for each message and ends by itself', async (t) => {
  const requests = []
  const url = await startStandIn(t, (request, response) => {
    let body = ''
    request.on('data', (more) => (body += more)).on('end', () => {
      requests.push(`${request.method} ${request.url} ${body}`)
      if (request.method === 'POST') return json(response, {})
      return open(response, event('0a.1', 'message', { ...message, body: { by: 2 } }),
        event('0a.2', 'message', { ...message, kind: 'cast', from: 'n.a.9.1', body_text: 'a\u001bb', result: 'error',
          error: 'app.sold_out', duration_ns: 999 }),
        event('0a.3', 'message', { ...message, kind: 'timer', type: null, subject: 'alice', bytes: 0, result: 'ended',
          error: 'actor_failed', duration_ns: 2_500_000_000 }),
        event('0a.4', 'end', { reason: 'done' }), event('0a.5', 'message', message))
    })
  })
  const cli = troupeAt(url)
  assert.equal(done(await cli('trace', '@hits', '--messages', '3', '--bodies')), [
    'KIND       TYPE              FROM                    BYTES      TIME  RESULT',
    'call       add               -                           8    12.3us  ok      {"by":2}',
    'cast       add               n.a.9.1                     8     999ns  app.sold_out  a\\x1bb',
    'timer      -                 alice                       0      2.5s  ended actor_failed', ''].join('\n'))
  assert.deepEqual(requests,
    ['POST /v1/actors/@hits/trace {"messages":3,"bodies":true}', 'GET /v1/actors/@hits/trace '])
  const lines = done(await cli('trace', '@hits', '-o', 'json')).trimEnd().split('\n')
  assert.deepEqual(lines.map((line) => JSON.parse(line).event), ['message', 'message', 'message', 'end'])
  assert.equal(requests[2], 'POST /v1/actors/@hits/trace {"bodies":false}')
  failed(await cli('trace', '@hits', '--messages', '100001'), 2, /--messages is '100001'/)
})

test('a trace that something else ends is told', async (t) => {
  for (const [reason, words] of [
    ['replaced', 'another has begun'], ['ended', 'the actor has ended'], ['stopped', 'somebody ended it']]) {
    const url = await startStandIn(t, (request, response) =>
      request.method === 'POST' ? json(response, {}) : open(response, event('0a.1', 'end', { reason })))
    const { stderr, code } = await troupeAt(url)('trace', '@hits')
    assert.equal(stderr, `troupe: the trace of @hits is over: ${words}\n`)
    assert.equal(code, 0)
  }
})

test('what ends trace before its time ends the trace of the actor too', async (t) => {
  const node = await start(t)
  const cli = troupeAt(node.api)
  done(await cli('spawn', 'counter', '--name', 'hits'))
  const isTraced = async () => (await node.request('GET', '/v1/actors/@hits')).json.traced
  const stdio = ['ignore', 'pipe', 'inherit']
  for (const signal of ['SIGINT', 'SIGTERM']) {
    const child = spawn(process.env.TROUPE, ['--url', node.api, 'trace', '@hits'], { stdio })
    await within(once(child.stdout, 'data'), 'the title line')
    assert.equal(await isTraced(), true)
    const over = once(child, 'close')
    child.kill(signal)
    assert.deepEqual(await within(over, 'the end of trace'), [null, signal])
    assert.equal(await isTraced(), false)
  }
  const piped = spawn('/bin/sh', ['-c', '"$TROUPE" --url "$0" trace @hits | head -n 2', node.api], { stdio })
  const over = once(piped, 'close') // head writes its two lines at its end
  await eventually(isTraced, 'the trace')
  await eventually(async () => (await cli('call', '@hits', 'get')) && !(await isTraced()), 'the end of the trace')
  await within(over, 'the end of the pipe')
  failed(await cli('trace', '@nobody'), 1, /cannot trace @nobody: There is no such thing/)
})

// ---- state, suspend, resume ----

test('state shows what the behavior tells of itself', async (t) => {
  const cli = troupeAt((await start(t)).api)
  done(await cli('spawn', 'counter', '--name', 'hits', '--args', '{"value":7}'))
  done(await cli('spawn', 'echo', '--name', 'echo'))
  assert.match(done(await cli('state', '@hits')), /^value +7\n$/)
  assert.equal(done(await cli('state', '@hits', '-o', 'yaml')), 'value: 7\n')
  const rounds = ['--watch=100ms', '--rounds', '2', '-o', 'json']
  assert.equal(done(await cli('state', '@hits', ...rounds)), '{"value":7}\n{"value":7}\n')
  failed(await cli('state', '@echo'), 4, /The behavior shows no state.*'troupe info'/)
  failed(await cli('state', '@nobody'), 1, /cannot show the state of @nobody/)
})

test('a suspended actor waits until it is resumed, and lists say so', async (t) => {
  const cli = troupeAt((await start(t)).api)
  done(await cli('spawn', 'counter', '--name', 'hits'))
  assert.equal(done(await cli('suspend', '@hits')), '')
  assert.match(done(await cli('ls', '--name', 'hits')), / suspended /)
  assert.match(done(await cli('tree', '@hits')), / suspended /)
  failed(await cli('call', '@hits', 'get', '--timeout', '50ms'), 4, /deadline/)
  assert.deepEqual(JSON.parse(done(await cli('suspend', '@hits', '-o', 'json'))), { ref: '@hits', suspended: true })
  assert.deepEqual(JSON.parse(done(await cli('resume', '@hits', '-o', 'json'))), { ref: '@hits', suspended: false })
  assert.equal(done(await cli('resume', '@hits')), '')
  assert.match(done(await cli('ls', '--name', 'hits')), / running /)
  failed(await cli('suspend', '@nobody'), 1, /cannot suspend @nobody/)
  failed(await cli('resume', '@nobody'), 1, /cannot resume @nobody/)
})

// ---- behaviors ----

test('behaviors lists with figures, and shows one with its types', async (t) => {
  const cli = troupeAt((await start(t)).api)
  done(await cli('spawn', 'counter'))
  const list = done(await cli('behaviors'))
  assert.match(list, /^BEHAVIOR +VERSION +ACTORS +SPAWNED +FAILED +MESSAGES +BUSY +FILE\n/)
  assert.match(list, /^counter +1\.0\.0 +1 +1 +0 +\d+ +\S+ +-$/m)
  assert.ok(done(await cli('behaviors', '-q')).split('\n').includes('faulty'))
  const shown = done(await cli('behaviors', 'counter'))
  for (const line of [/^stats\.spawned +1$/m, /^args +\[value\]$/m, /^TYPE +BODY +KIND +SUMMARY$/m,
    /^add +\[by\] +call +Add /m, /^get +- +call, reads +Give /m, /^reset +- +call, repeatable /m]) {
    assert.match(shown, line)
  }
  assert.equal(JSON.parse(done(await cli('behaviors', 'counter', '-o', 'json'))).types.length, 3)
  failed(await cli('behaviors', 'nope'), 1, /cannot show the behavior nope.*'troupe behaviors' lists them/)
  failed(await cli('behaviors', 'a/b'), 2, /a behavior has 1 to 64/)
})

// ---- dead letters and alarms ----

test('watch --dead shows messages that nobody took', async (t) => {
  const cli = troupeAt((await start(t)).api)
  const hits = done(await cli('spawn', 'counter', '--name', 'hits')).trimEnd()
  await cli('cast', '@hits', 'unheard')
  const args = ['watch', '--dead', '--from', 'oldest', '--limit', '1']
  const line = done(await cli(...args))
  assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}unknown_type {4}unheard to n\.\S+\n$/)
  assert.ok(line.includes(hits))
  const document = JSON.parse(done(await cli(...args, '-o', 'json')))
  assert.deepEqual([document.event, document.data.type], ['dead_letter', 'unheard'])
})

test('watch --dead tells from whom, and how many were not told', async (t) => {
  const letter = {
    to: 'n.a.2.1', from: 'n.a.1.1', type: 'add', error: 'mailbox_full', at: '2026-01-02T03:04:05.678Z', suppressed: 12,
  }
  const urls = []
  const url = await startStandIn(t, (request, response) => {
    urls.push(request.url)
    open(response, event('0a.1', 'dead_letter', letter))
  })
  assert.equal(done(await troupeAt(url)('watch', '--dead', '--limit', '1', '--types', 'dead_*')),
    '2026-01-02T03:04:05.678Z  mailbox_full    add to n.a.2.1 from n.a.1.1; 12 before it were not told\n')
  assert.deepEqual(urls, ['/v1/events/dead?types=dead_%2A'])
})

test('alarms are in watch, top, info and status', async (t) => {
  const alarm = {
    kind: 'long_mailbox', actor: 'n.a.1.1', behavior: 'counter', value: 9000, threshold: 8000,
    since: '2026-01-02T03:04:05.678Z',
  }
  const words = 'long_mailbox of n.a.1.1 (counter): 9000 messages, threshold 8000'
  const cleared = { ...alarm, kind: 'long_turn', value: 120, threshold: 100 }
  const answers = {
    '/v1/node': { node: 'n.a', state: 'up', alarms: [alarm], stats: {}, limits: {} },
    '/v1/actors': { items: [actor('1', null), actor('2', null)], next: null },
    '/v1/actors/n.a.1.1': actor('1', null),
    '/v1/nodes': { items: [], next: null },
  }
  const url = await startStandIn(t, (request, response) => {
    const [path] = request.url.split('?')
    if (path !== '/v1/events') return json(response, answers[path] ?? {})
    return open(response, event('0a.1', 'alarm_set', alarm), event('0a.2', 'alarm_cleared', cleared))
  })
  const cli = troupeAt(url)
  assert.equal(done(await cli('watch', '--limit', '2')),
    `2026-01-02T03:04:05.678Z  alarm_set       ${words}\n` +
    '2026-01-02T03:04:05.678Z  alarm_cleared   long_turn of n.a.1.1 (counter): 120 ms, threshold 100\n')
  const top = done(await cli('top', '--rounds', '1')).split('\n')
  assert.match(top[0], / ALARM$/)
  assert.match(top[1], /^n\.a\.1\.1 .* long_mailbox$/)
  assert.match(top[2], /^n\.a\.2\.1 .* -$/)
  assert.deepEqual(JSON.parse(done(await cli('top', '--rounds', '1', '-o', 'json'))).alarms, [alarm])
  assert.ok(done(await cli('info', 'n.a.1.1')).endsWith(`alarm                   ${words}\n`))
  assert.ok(done(await cli('status')).includes(`\nalarms       ${words}\n`))
})
