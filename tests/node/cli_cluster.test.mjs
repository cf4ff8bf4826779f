// SPDX-License-Identifier: Apache-2.0
//
// The CLI against real nodes: the cluster it shows, streams it follows, tokens and tickets that it makes and that
// count.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { troupe, troupeAt } from './lib/troupe.mjs'
import { start, temporaryFolder } from './lib/trouped.mjs'
import { deferred, eventually, within } from './lib/wait.mjs'

async function done(promise) {
  const { stdout, stderr, code } = await promise
  assert.equal(stderr, '')
  assert.equal(code, 0)
  return stdout
}

const lines = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line))

/** `troupe` that goes on by itself; until(fits) waits until its output fits. */
function follow(t, url, ...args) {
  const child = spawn(process.env.TROUPE, ['--url', url, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const process_ = { stdout: '', stderr: '', pid: child.pid, closed: once(child, 'close') }
  let arrived = deferred()
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      process_[name] += text
      arrived.resolve()
      arrived = deferred()
    })
  }
  t.after(() => child.kill('SIGKILL'))
  process_.until = (fits) => within((async () => {
    while (!fits(process_.stdout)) await arrived.promise
  })(), `output of troupe ${args.join(' ')} that fits ${fits}; there is ${process_.stdout}${process_.stderr}`)
  process_.end = async () => (await within(process_.closed, `the end of troupe ${args.join(' ')}`))[0]
  return process_
}

/** A cluster of two nodes. */
async function startTwo(t) {
  const folder = temporaryFolder(t)
  const options = { env: { XDG_RUNTIME_DIR: folder } } // where the secret of the cluster is
  const first = await start(t, ['--lease', '1s'], options)
  const second = await start(t, ['--lease', '1s', '--join', first.api], options)
  return [first, second]
}

test('nodes, status and watch show a cluster, and drain makes it smaller', async (t) => {
  const [first, second] = await startTwo(t)
  const cli = troupeAt(first.api)
  const watch = follow(t, first.api, 'watch', '--from', 'oldest', '-o', 'json')
  await watch.until((text) => text.includes('"node.up"') && text.includes(second.ready.node))

  for (const node of [first, second]) {
    const { items } = JSON.parse(await done(troupeAt(node.api)('nodes', '-o', 'json')))
    assert.deepEqual(items.map((item) => [item.node, item.api, item.state]).sort(),
      [first, second].map((each) => [each.ready.node, each.api, 'up']).sort())
    assert.equal(JSON.parse(await done(troupeAt(node.api)('nodes', 'self', '-o', 'json'))).node, node.ready.node)
  }
  assert.match(await done(cli('nodes')), /^NODE +STATE +API +PEER +VERSION +BEHAVIORS +UPTIME\n(n\.\w+ +up .*\n){2}$/)
  const status = await done(cli('status'))
  assert.match(status, /^nodes +2 up\nactors +\d+ here\nsessions +0 here\nstreams +1 here$[^]*^trouble +none$/m)

  await done(cli('nodes', 'drain', second.ready.node))
  assert.equal((await second.untilExit()).code, 0)
  await watch.until((text) => text.includes('"node.left"'))
  const told = lines(watch.stdout).filter(({ data }) => data.node === second.ready.node).map(({ event }) => event)
  assert.deepEqual(told, ['node.joining', 'node.up', 'node.draining', 'node.left'])
  await eventually(async () => (await done(cli('nodes', '-q'))) === `${first.ready.node}\n`, 'a cluster of one')
  const gone = await cli('nodes', second.ready.node)
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /^troupe: cannot show the node n\.\w+: [^\n]*'troupe nodes' lists the members\n$/)
})

test('tail follows an actor from any event on, until its end', async (t) => {
  const { api } = await start(t)
  const cli = troupeAt(api)
  await done(cli('spawn', 'topic', '--name', 'news'))
  await done(cli('call', '@news', 'publish', '{"n":1}'))
  await done(cli('call', '@news', 'rumour', 'two\nlines', '-c', 'text/plain'))

  const two = lines(await done(cli('tail', '@news', '--from', 'oldest', '--limit', '2', '-o', 'json')))
  assert.deepEqual(two.map(({ event, data }) => [event, data]), [['publish', { n: 1 }], ['rumour', 'two\nlines']])
  const second = await done(cli('tail', '@news', '--after', two[0].id, '--limit', '1', '-o', 'json'))
  assert.deepEqual(lines(second), [two[1]])
  const first = await done(cli('tail', '@news', '--from', 'oldest', '--limit', '1'))
  assert.match(first, /^[0-9a-f]{16}\.\d+ {2}publish {2}\{"n":1\}\n$/)

  const tail = follow(t, api, 'tail', '@news', '--after', two[1].id)
  await done(cli('call', '@news', 'publish', '{"n":3}'))
  await tail.until((text) => text.endsWith('publish  {"n":3}\n'))
  await done(cli('stop', '@news'))
  assert.equal(await tail.end(), 0)
  assert.match(tail.stderr, /^troupe: the actor has ended: \w+[^\n]*\n$/)

  const late = await cli('tail', '@news')
  assert.equal(late.code, 1)
  assert.match(late.stderr, /cannot follow @news/)
  const odd = await cli('tail', '@news', '--after', 'yesterday')
  assert.ok([1, 4].includes(odd.code))
})

test('top shows real rates', async (t) => {
  const { api } = await start(t)
  const cli = troupeAt(api)
  await done(cli('spawn', 'counter', '--name', 'hits'))
  const top = follow(t, api, 'top', '--watch=200ms', '--sort', 'rate', '-o', 'json')
  await top.until((text) => text.split('\n').length > 1)
  for (let i = 0; i < 5; i++) await done(cli('cast', '@hits', 'add', '{"by":1}'))
  await top.until((text) => text.split('\n').slice(0, -1).some((line) => JSON.parse(line).items[0]?.rate > 0))
})

test('tokens made here count there; a ticket opens a stream once', async (t) => {
  const folder = temporaryFolder(t)
  const tokens = path.join(folder, 'tokens.json')
  const make = async (id, ...grants) => {
    const file = path.join(folder, id)
    const args = grants.flatMap((grant) => ['--grant', grant])
    writeFileSync(file, await done(troupe(['token', 'new', '--id', id, ...args, '--file', tokens])), { mode: 0o600 })
    return file
  }
  const all = await make('all', '*')
  const reader = await make('reader', 'read')
  const { api } = await start(t, ['--tokens', tokens])
  const cli = troupeAt(api)

  const none = await cli('ls')
  assert.equal(none.code, 4)
  assert.match(none.stderr, /^troupe: cannot list .*; give a token by --token-file FILE or in TROUPE_TOKEN;/)
  const wrong = await troupe(['--url', api, 'ls'], { env: { TROUPE_TOKEN: 'tt_wrong' } })
  assert.match(wrong.stderr, /does not know this token, or it has expired/)
  await done(cli('spawn', 'counter', '--name', 'hits', '--token-file', all))
  await done(cli('ls', '--token-file', reader))
  const refused = await cli('stop', '@hits', '--token-file', reader)
  assert.equal(refused.code, 4)
  assert.match(refused.stderr, /; ask for a token with that grant/)
  assert.match(await done(cli('doctor', '--token-file', all)), /^ok {4}token {7}from --token-file$/m)
  await done(cli('status', '--token-file', reader))

  const ticket = (await done(cli('tickets', '--token-file', all, '--grant', 'read'))).trimEnd()
  assert.match(ticket, /^tk_[A-Za-z0-9_-]{43}$/)
  for (const status of [200, 401]) {
    const response = await fetch(`${api}/v1/events?ticket=${ticket}`)
    assert.equal(response.status, status)
    await response.body.cancel()
  }
  const odd = await cli('tickets', '--token-file', reader, '--grant', 'reed')
  assert.equal(odd.code, 4)
  assert.match(odd.stderr, /cannot make a ticket: .*grants/)
})
