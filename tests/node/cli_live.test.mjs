// SPDX-License-Identifier: Apache-2.0
//
// What the CLI shows of a cluster, and again and again: nodes, status, tickets, top and --watch, on a pipe and on a
// terminal. Against a stand-in for a node, whose answers can be anything.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

import { startStandIn, troupe, troupeAt } from './lib/troupe.mjs'
import { within } from './lib/wait.mjs'

function json(response, document, status = 200, type = 'application/json') {
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(document))
}

const refuse = (response, status, problem) => json(response, { status, ...problem }, status, 'application/problem+json')

const node = (id, state, more = {}) => ({
  node: id, state, self: false, api: `http://127.0.0.1:4${id.length}`, peer: '127.0.0.1:39127', version: '0.1.0',
  started_at: new Date(Date.now() - 7_530_000).toISOString(), labels: {}, endpoints: [],
  behaviors: [{ name: 'counter', version: '1' }, { name: 'echo', version: '1' }], ...more,
})

const actor = (n, depth, processed) => ({
  ref: `n.a.${n}.1`, name: null, behavior: 'counter', state: 'running', mailbox: { depth }, processed,
  uptime_ms: 1000 * n,
})

const about = {
  node: 'n.a', cluster: 'demo', version: '0.1.0', api: 'http://127.0.0.1:41873', state: 'up', uptime_ms: 65_000,
  limits: { memory_bytes_max: 512 << 20 }, stats: { actors: 12, memory_bytes: 3 << 20 },
}

/** A stand-in for a node: routes["GET /v1/nodes"] is a document, or a function of (response, request). */
async function startNode(t, routes) {
  const requests = []
  const url = await startStandIn(t, (request, response) => {
    const name = `${request.method} ${request.url.split('?')[0]}`
    requests.push(`${request.method} ${request.url}`)
    const answer = routes[name]
    if (typeof answer === 'function') return answer(response, request)
    if (answer !== undefined) return json(response, answer)
    return refuse(response, 404, { code: 'no_route', title: 'There is no such route' })
  })
  return { cli: troupeAt(url), url, requests }
}

const healthy = (nodes) => ({
  'GET /v1/node': about,
  'GET /readyz': { status: 'ok' },
  'GET /v1/nodes': { items: nodes, next: null },
  'GET /metrics': (response) => response.writeHead(200, { 'content-type': 'text/plain' }).end(
    '# HELP troupe_http_connections Open.\n# TYPE troupe_http_connections gauge\ntroupe_http_connections 7\n'),
})

// ---- nodes ----

test('nodes lists, shows and drains', async (t) => {
  const { cli, requests } = await startNode(t, {
    'GET /v1/nodes': { items: [node('n.aa', 'up'), node('n.b', 'draining', { peer: undefined })], next: null },
    'GET /v1/nodes/n.aa': node('n.aa', 'up'),
    'POST /v1/nodes/n.b/drain': (response) => json(response, {}, 202),
  })
  assert.equal((await cli('nodes')).stdout,
    'NODE  STATE     API                  PEER             VERSION  BEHAVIORS  UPTIME\n' +
    'n.aa  up        http://127.0.0.1:44  127.0.0.1:39127  0.1.0            2   2h05m\n' +
    'n.b   draining  http://127.0.0.1:43  -                0.1.0            2   2h05m\n')
  assert.equal((await cli('nodes', '-q')).stdout, 'n.aa\nn.b\n')
  const one = await cli('nodes', '-q', '--limit', '1')
  assert.equal(one.stdout, 'n.aa\n')
  assert.match(one.stderr, /^troupe: 1 shown, there are more/)
  assert.equal(JSON.parse((await cli('nodes', '-o', 'json')).stdout).items[1].state, 'draining')
  assert.match((await cli('nodes', 'n.aa')).stdout, /^state +up$/m)
  assert.match((await cli('nodes', 'drain', 'n.b')).stdout, /^draining: it takes no new work/)
  assert.equal(requests.at(-1), 'POST /v1/nodes/n.b/drain')
  const drained = JSON.parse((await cli('nodes', 'drain', 'n.b', '-o', 'json')).stdout)
  assert.deepEqual(drained, { node: 'n.b', state: 'draining' })
  const lost = await cli('nodes', 'n.nobody')
  assert.equal(lost.code, 4)
})

test('nodes says what it cannot do', async () => {
  for (const [args, pattern] of [
    [['nodes', 'drain'], /which node\? 'troupe nodes drain ID'/],
    [['nodes', 'kick', 'n.a'], /'kick' is nothing that can be done to a node/],
    [['nodes', 'drain', 'n.a', '--watch'], /a drain cannot be watched/],
    [['nodes', 'drain', 'n.a/../b', '--url', 'http://127.0.0.1:1'], /is not the id of a node, such as/],
    [['ls', '--rounds', '2'], /--rounds goes with --watch/],
    [['ls', '--watch=0', '--url', 'http://127.0.0.1:1'], /--watch is '0'; it must be seconds or a time from 100ms/],
    [['top', '--sort', 'size'], /must be one of depth\|rate\|processed\|uptime\|bytes/],
  ]) {
    const { stdout, stderr, code } = await troupe(args)
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, pattern)
  }
})

// ---- status ----

test('status is one screen, and 0 when all is well', async (t) => {
  const { cli } = await startNode(t, healthy([node('n.a', 'up'), node('n.b', 'up'), node('n.c', 'draining')]))
  const { stdout, code } = await cli('status')
  assert.equal(stdout,
    'cluster      demo\n' +
    'asked        n.a at http://127.0.0.1:41873, version 0.1.0, up 1m05s\n' +
    'nodes        2 up, 1 draining\n' +
    'actors       12 here\n' +
    'connections  7 here\n' +
    'memory       3.0 MiB of 512.0 MiB here\n' +
    'trouble      none\n')
  assert.equal(code, 0)
  const document = JSON.parse((await cli('status', '-o', 'json')).stdout)
  assert.deepEqual(document.nodes, { up: 2, draining: 1 })
  assert.deepEqual([document.healthy, document.trouble, document.cluster], [true, [], 'demo'])
})

test('status is 1 when there is trouble, and says which', async (t) => {
  const { cli } = await startNode(t, {
    ...healthy([node('n.a', 'up'), node('n.b', 'down')]),
    'GET /readyz': (response) =>
      refuse(response, 503, { code: 'overloaded', title: 'T', detail: 'over 80 % of memory' }),
    'GET /metrics': undefined,
  })
  const { stdout, code } = await cli('status', '--color', 'always')
  assert.match(stdout, /^nodes +1 \u001b\[32mup\u001b\[0m, 1 \u001b\[31mdown\u001b\[0m$/m)
  assert.match(stdout, /^trouble +\u001b\[31mover 80 % of memory\u001b\[0m$/m)
  assert.match(stdout, /^ +\u001b\[31mnode n\.b is down\u001b\[0m\n$/m)
  assert.doesNotMatch(stdout, /connections/)
  assert.equal(code, 1)
  const document = JSON.parse((await cli('status', '-o', 'json')).stdout)
  assert.deepEqual([document.healthy, document.trouble], [false, ['over 80 % of memory', 'node n.b is down']])
  const watched = await cli('status', '--watch=100ms', '--rounds', '2', '-o', 'json')
  assert.deepEqual(watched.stdout.trimEnd().split('\n').map((line) => JSON.parse(line).healthy), [false, false])
  assert.equal(watched.code, 1)
})

// ---- tickets ----

test('tickets prints a ticket', async (t) => {
  const { cli, requests } = await startNode(t, {
    'POST /v1/tickets': (response) => json(response, { ticket: 'tk_x', expires_in_ms: 30000 }, 201),
  })
  assert.equal((await cli('tickets')).stdout, 'tk_x\n')
  assert.equal(JSON.parse((await cli('tickets', '-o', 'json')).stdout).expires_in_ms, 30000)
  assert.equal(requests[0], 'POST /v1/tickets')
})

// ---- again and again ----

test('off a terminal each round is a document, and nothing moves', async (t) => {
  let round = 0
  const { cli } = await startNode(t, {
    'GET /v1/actors': (response) => json(response, { items: [actor(1, 0, round++)], next: null }),
  })
  const args = ['--watch=100ms', '--rounds', '3']
  const table = (await cli('ls', ...args)).stdout
  assert.equal(table.split('\n\n').length, 3)
  assert.equal(table.match(/^REF/gm).length, 3)
  assert.ok(!table.includes('\u001b'))
  const lines = (await cli('ls', ...args, '-o', 'json')).stdout.trimEnd().split('\n')
  assert.deepEqual(lines.map((line) => JSON.parse(line).items[0].processed), [3, 4, 5])
  assert.equal((await cli('ls', ...args, '-o', 'yaml')).stdout.match(/^---$/gm).length, 3)
  assert.equal((await cli('ls', ...args, '-q')).stdout, 'n.a.1.1\n\nn.a.1.1\n\nn.a.1.1\n')
})

test('a round that reaches no node is told, and tried again', async (t) => {
  let round = 0 // curl itself asks again when a connection that was kept is found dead: so both tries fail
  const { cli } = await startNode(t, {
    'GET /v1/actors': (response) =>
      [2, 3].includes(++round) ? response.socket.destroy() : json(response, { items: [], next: null }),
  })
  const { stdout, stderr, code } = await cli('ls', '--watch=100ms', '--rounds', '3')
  assert.equal(stdout.match(/^REF/gm).length, 2)
  assert.match(stderr, /^troupe: cannot reach [^\n]+\n$/)
  assert.equal(code, 0)
  const first = await troupe(['ls', '--watch=100ms', '--url', 'http://127.0.0.1:1'])
  assert.equal(first.code, 3)
})

test('top sorts, and knows rates from the second round on', async (t) => {
  let round = 0
  const pages = () => [
    { items: [actor(1, 0, 1000 * round), actor(2, 9, 5)], next: 'more' },
    { items: [actor(3, 4, 7)], next: null },
  ]
  const { cli } = await startNode(t, {
    'GET /v1/actors': (response, request) => {
      const isSecond = request.url.includes('cursor=more')
      round += isSecond ? 0 : 1
      json(response, pages()[isSecond ? 1 : 0])
    },
  })
  const args = ['--watch=100ms', '--rounds', '2']
  const tables = (await cli('top', ...args)).stdout.split('\n\n')
  const refs = (table) => table.trimEnd().split('\n').slice(1).map((line) => line.split(' ')[0])
  assert.match(tables[0], /^REF +NAME +BEHAVIOR +STATE +DEPTH +RATE +PROCESSED +UPTIME +ALARM\n/)
  assert.match(tables[0].split('\n')[1], /^n\.a\.2\.1 +- +counter +running +9 +- +5 +2\.0s +-$/)
  assert.deepEqual(refs(tables[1]), ['n.a.2.1', 'n.a.3.1', 'n.a.1.1'])
  const { stdout } = await cli('top', ...args, '-o', 'json', '--sort', 'rate', '--limit', '2')
  const rounds = stdout.trimEnd().split('\n')
  const [first, second] = rounds.map((line) => JSON.parse(line))
  assert.match(first.at, /^\d{4}-\d\d-\d\dT[\d:]{8}Z$/)
  assert.deepEqual(first.items.map((item) => item.rate), [null, null])
  assert.equal(second.items[0].ref, 'n.a.1.1')
  assert.ok(second.items[0].rate > 1000 && second.items[0].rate <= 10_001, `${second.items[0].rate}`)
  assert.equal(second.items[1].rate, 0)
})

// ---- on a terminal: a pseudo terminal by script(1), where there is one ----

/** Run a command line on a terminal of 12 by 60, with `troupe` as $TROUPE. Each step waits until the terminal shows a
    text and then types keys. Gives what came on the terminal. */
async function onTerminal(url, command, { steps = [], env = {} } = {}) {
  const own = { ...process.env, TERM: 'xterm', TROUPE_URL: url, NO_COLOR: '', ...env }
  const sized = `stty rows 12 cols 60; ${command}`
  const child = spawn('script', ['-qec', sized, '/dev/null'], { env: own, stdio: ['pipe', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more) => {
    text += more
    while (steps.length > 0 && steps[0].after(text)) child.stdin.write(steps.shift().keys)
  })
  try {
    const [code] = await within(once(child, 'close'), `the end of ${command} on a terminal`)
    return { text: text.replaceAll('\r\n', '\n'), code }
  } finally {
    child.kill('SIGKILL')
  }
}

const hasTerminals = spawnSync('script', ['-qec', 'true', '/dev/null'], { stdio: 'ignore' }).status === 0
const skip = hasTerminals ? false : 'needs script(1) and a machine that gives pseudo terminals'
const many = () => ({
  'GET /v1/actors': { items: Array.from({ length: 40 }, (_, i) => actor(i, i, i)), next: null },
})

test('on a terminal a frame is drawn over the last, within its size, until q', { skip }, async (t) => {
  const { url } = await startNode(t, many())
  const { text, code } = await onTerminal(url, 'exec "$TROUPE" ls --watch=100ms --color never', {
    steps: [{ after: (shown) => shown.split('\u001b[J').length > 3, keys: 'q' }],
  })
  assert.equal(code, 0)
  const frames = text.split('\u001b[J')
  assert.equal(frames[0].split('\n').length, 12) // 11 lines, and the cursor below them
  assert.match(frames[0], /\.\.\. 31 more lines\u001b\[K\n$/)
  assert.ok(frames[1].startsWith('\u001b[11A\r'))
  for (const line of frames[0].split('\n')) assert.ok(line.replaceAll('\u001b[K', '').length <= 60, line)
})

test('top on a terminal changes its order by the arrow keys at once', { skip }, async (t) => {
  const { url, requests } = await startNode(t, many())
  const { text, code } = await onTerminal(url, 'exec "$TROUPE" top --watch=3600', {
    steps: [
      { after: (shown) => shown.includes('40 actors, - messages/s, by depth'), keys: '\u001b[D' },
      { after: (shown) => shown.includes('by bytes'), keys: '\u001b[C' },
      { after: (shown) => shown.split('by depth').length === 3, keys: 'x' }, // no key of ours
      { after: (shown) => shown.split('by depth').length === 3, keys: 'q' },
    ],
  })
  assert.equal(code, 0)
  assert.match(text, /\u001b\[32mrunning\u001b\[0m/)
  assert.ok(requests.length <= 3, 'keys ask the node for nothing') // the actors, and the alarms
})

test('a signal that ends it puts the terminal back', { skip }, async (t) => {
  const { url } = await startNode(t, many())
  const { text } = await onTerminal(url, 'trap : INT; "$TROUPE" top --watch=3600; stty -a', {
    steps: [{ after: (shown) => shown.includes('by depth'), keys: '\u0003' }],
  })
  const settings = text.slice(text.indexOf('speed ')).split(/\s+/)
  for (const word of ['icanon', 'echo', 'isig']) assert.ok(settings.includes(word), `${word} is not set: ${text}`)
})

test('a dumb terminal and NO_COLOR are respected', { skip }, async (t) => {
  const { url } = await startNode(t, many())
  const plain = await onTerminal(url, 'exec "$TROUPE" ls --watch=100ms --rounds 2', { env: { TERM: 'dumb' } })
  assert.ok(!plain.text.includes('\u001b'))
  assert.equal(plain.text.match(/^REF/gm).length, 2)
  const bare = await onTerminal(url, 'exec "$TROUPE" ls', { env: { NO_COLOR: '1' } })
  assert.match(bare.text, /^REF/)
  assert.ok(!bare.text.includes('\u001b'))
  assert.match((await onTerminal(url, 'exec "$TROUPE" ls')).text, /\u001b\[32mrunning\u001b\[0m/)
})
