// SPDX-License-Identifier: Apache-2.0
//
// The CLI against a real node: each command, each form of output, the exit codes, and how it finds its node.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { troupe, troupeAt } from './lib/troupe.mjs'
import { run, start, temporaryFolder } from './lib/trouped.mjs'

/** It went well and complained of nothing; gives what it printed. */
function done(result) {
  assert.equal(result.stderr, '')
  assert.equal(result.code, 0)
  return result.stdout
}

/** It failed with this code and one line that fits. */
function failed(result, code, pattern) {
  assert.equal(result.code, code, result.stderr)
  assert.equal(result.stdout, '')
  assert.match(result.stderr, /^troupe: [^\n]+\n$/)
  assert.match(result.stderr, pattern)
}

const ref = /^n\.[0-9a-z]+\.[0-9a-z]+\.[0-9a-z]+$/

test('spawn prints the reference, or the document', async (t) => {
  const cli = troupeAt((await start(t)).api)

  assert.match(done(await cli('spawn', 'counter')).trimEnd(), ref)
  const hits = done(await cli('spawn', 'counter', '--name', 'hits')).trimEnd()
  assert.equal(done(await cli('spawn', 'counter', '--name=@hits', '--if-exists', 'return')).trimEnd(), hits)
  failed(await cli('spawn', 'counter', '--name', 'hits'), 4, /The name is taken.*--if-exists return/)

  const limits = ['--mailbox-messages', '7', '--mailbox-bytes', '4096', '--mailbox-policy', 'drop_oldest']
  const more = ['-n', 'small', '-o', 'json', '--restart', 'transient', ...limits]
  const actor = JSON.parse(done(await cli('spawn', 'counter', ...more)))
  assert.equal(actor.name, 'small')
  assert.equal(actor.behavior, 'counter')
  assert.equal(actor.mailbox.messages_max, 7)
  assert.equal(actor.mailbox.bytes_max, 4096)
  assert.equal(actor.mailbox.policy, 'drop_oldest')

  assert.match(done(await cli('spawn', 'counter', '-o', 'yaml')), /^behavior: counter$/m)
  failed(await cli('spawn', 'no-such'), 4, /no-such/)
  failed(await cli('spawn', 'counter', '--args', '{'), 2, /--args is not JSON/)
  failed(await cli('spawn', 'counter', '--mailbox-messages', 'many'), 2, /--mailbox-messages is 'many'/)
})

test('call prints the reply; the body comes from an argument, a file or standard input', async (t) => {
  const node = await start(t)
  const cli = troupeAt(node.api)
  done(await cli('spawn', 'counter', '--name', 'hits'))
  done(await cli('spawn', 'echo', '--name', 'echo'))

  assert.deepEqual(JSON.parse(done(await cli('call', '@hits', 'add', '{"by":2}'))), { value: 2 })
  assert.deepEqual(JSON.parse(done(await cli('call', '@hits', 'get'))), { value: 2 })
  assert.equal(done(await cli('call', '@hits', 'get', '-o', 'json')), '{\n  "value": 2\n}\n')
  assert.equal(done(await cli('call', '@hits', 'get', '-o', 'yaml')), 'value: 2\n')

  const file = path.join(temporaryFolder(t), 'body.json')
  writeFileSync(file, '{"by":3}')
  assert.deepEqual(JSON.parse(done(await cli('call', '@hits', 'add', '-f', file))), { value: 5 })
  const add = ['--url', node.api, 'call', '@hits', 'add']
  assert.deepEqual(JSON.parse(done(await troupe([...add, '-'], { input: '{"by":4}' }))), { value: 9 })
  assert.deepEqual(JSON.parse(done(await troupe([...add, '--file', '-'], { input: '{"by":1}' }))), { value: 10 })

  failed(await cli('call', '@hits', 'add', '{}', '-f', file), 2, /given twice/)
  failed(await cli('call', '@hits', 'add', '-f', `${file}.missing`), 2, /No such file/)
  failed(await cli('call', '@hits', 'add', '{"by":'), 4, /.+/)
  failed(await cli('call', '@hits', 'no-such'), 4, /no-such/)
  failed(await cli('call', '@nobody', 'get'), 1, /@nobody/)
  failed(await cli('call', 'hits', 'get'), 2, /write @hits/)
})

test('a reply that is not JSON is printed byte by byte, or wrapped', async (t) => {
  const node = await start(t)
  const cli = troupeAt(node.api)
  done(await cli('spawn', 'echo', '--name', 'echo'))

  const bytes = ['call', '@echo', 'echo', 'a\tb', '-c', 'application/octet-stream']
  assert.equal(done(await cli(...bytes)), 'a\tb')
  assert.deepEqual(JSON.parse(done(await cli(...bytes, '-o', 'json'))), {
    content_type: 'application/octet-stream',
    body_b64: Buffer.from('a\tb').toString('base64'),
  })
  assert.equal(done(await cli('call', '@echo', 'echo', 'hello', '-c', 'text/plain')), 'hello\n')
})

test('a call has a timeout, which the node tells', async (t) => {
  const cli = troupeAt((await start(t)).api)
  done(await cli('spawn', 'faulty', '--name', 'mute'))
  failed(await cli('call', '@mute', 'never', '--timeout', '50ms'), 4, /deadline.*longer --timeout/)
})

test('cast is silent and comes before later calls', async (t) => {
  const cli = troupeAt((await start(t)).api)
  done(await cli('spawn', 'counter', '--name', 'hits'))

  assert.equal(done(await cli('cast', '@hits', 'add', '{"by":2}')), '')
  assert.deepEqual(JSON.parse(done(await cli('call', '@hits', 'get'))), { value: 2 })
  assert.deepEqual(JSON.parse(done(await cli('cast', '@hits', 'add', '{"by":1}', '-o', 'json'))), {
    ref: '@hits',
    accepted: true,
  })
  failed(await cli('cast', '@nobody', 'add', '{}'), 1, /@nobody/)
})

test('ls lists, filters, follows cursors up to its limit', async (t) => {
  const cli = troupeAt((await start(t)).api)
  const hits = done(await cli('spawn', 'counter', '--name', 'hits')).trimEnd()
  for (let i = 0; i < 4; i++) done(await cli('spawn', 'echo'))

  const counters = done(await cli('ls', '--behavior', 'counter')).split('\n')
  assert.match(counters[0], /^REF +NAME +BEHAVIOR +STATE +DEPTH +PROCESSED +UPTIME$/)
  assert.deepEqual(counters[1].split(/ {2,}/).slice(0, 5), [hits, 'hits', 'counter', 'running', '0'])
  assert.deepEqual(counters.slice(2), [''])

  assert.equal(done(await cli('ls', '--name', 'hits', '-q')), `${hits}\n`)
  assert.equal(done(await cli('ls', '-q', '-b', 'echo', '--limit', '0')).trimEnd().split('\n').length, 4)
  assert.equal(done(await cli('ls', '--state', 'stopping', '-q')), '')

  const all = JSON.parse(done(await cli('ls', '-b', 'echo', '--limit', '0', '-o', 'json')))
  assert.equal(new Set(all.items.map((actor) => actor.ref)).size, 4)
  assert.equal(all.next, null)

  const some = await cli('ls', '-b', 'echo', '--limit', '3')
  assert.equal(some.code, 0)
  assert.equal(some.stdout.trimEnd().split('\n').length, 1 + 3)
  assert.match(some.stderr, /^troupe: 3 shown, there are more; --limit 0 shows all\n$/)
  assert.match(done(await cli('ls', '-b', 'counter', '-o', 'yaml')), /^items:\n {2}- ref: n\./)
})

test('info shows one actor', async (t) => {
  const cli = troupeAt((await start(t)).api)
  const hits = done(await cli('spawn', 'counter', '--name', 'hits')).trimEnd()

  const lines = done(await cli('info', '@hits')).split('\n')
  assert.ok(lines.some((line) => /^ref +n\./.test(line) && line.endsWith(hits)))
  assert.ok(lines.some((line) => /^mailbox\.depth +0$/.test(line)))
  assert.equal(JSON.parse(done(await cli('info', hits, '-o', 'json'))).name, 'hits')
  assert.match(done(await cli('info', '@hits', '-o', 'yaml')), /^mailbox:\n {2}depth: 0$/m)
  failed(await cli('info', '@nobody'), 1, /There is no such thing/)
})

test('names lists and looks up', async (t) => {
  const cli = troupeAt((await start(t)).api)
  const names = ['a b', 'caf\u00e9', 'x/y']
  const refs = []
  for (const name of names) refs.push(done(await cli('spawn', 'echo', '--name', name)).trimEnd())

  const list = JSON.parse(done(await cli('names', '-o', 'json')))
  assert.deepEqual(list.items.map((entry) => entry.name).sort(), names)
  assert.deepEqual(done(await cli('names', '-q')).trimEnd().split('\n').sort(), names.map((name) => `@${name}`))
  assert.match(done(await cli('names')), /^NAME +REF\n/)
  for (const [i, name] of names.entries()) {
    assert.equal(done(await cli('names', name)).trimEnd(), refs[i])
    assert.equal(done(await cli('names', `@${name}`)).trimEnd(), refs[i])
    assert.equal(JSON.parse(done(await cli('info', `@${name}`, '-o', 'json'))).ref, refs[i])
  }
  failed(await cli('names', 'nobody'), 1, /look up the name nobody/)
})

test('stop, drain and kill end an actor, which is then gone', async (t) => {
  const cli = troupeAt((await start(t)).api)
  for (const mode of ['stop', 'drain', 'kill']) {
    const actor = done(await cli('spawn', 'counter')).trimEnd()
    assert.equal(done(await cli('stop', actor, '--mode', mode, '--reason', 'test & over', '-t', '5s')), 'ended\n')
    failed(await cli('info', actor), 1, /The actor has ended/)
    failed(await cli('stop', actor), 1, /The actor has ended/)
  }
  done(await cli('spawn', 'counter', '--name', 'hits'))
  assert.deepEqual(JSON.parse(done(await cli('stop', '@hits', '-o', 'json'))), { ref: '@hits', ended: true })
  failed(await cli('stop', '@hits'), 1, /@hits/)
})

test('doctor finds a healthy node healthy', async (t) => {
  const node = await start(t)
  const report = JSON.parse(done(await troupeAt(node.api)('doctor', '-o', 'json')))
  const verdicts = Object.fromEntries(report.checks.map((check) => [check.check, check.status]))
  for (const check of ['address', 'reach', 'live', 'ready', 'version', 'clock', 'host rule']) {
    assert.equal(verdicts[check], 'ok', JSON.stringify(report))
  }
  assert.match(done(await troupeAt(node.api)('doctor')), /^ok {4}address {5}http:/)
})

test('version shows that of the node too', async (t) => {
  const node = await start(t)
  const cli = troupeAt(node.api)
  assert.match(done(await cli('version')), /^troupe \S+\nnode \S+ \(n\.\S+ at http:\S+\)\n$/)
  const versions = JSON.parse(done(await cli('version', '-o', 'json')))
  assert.equal(versions.node.node, node.ready.node)
  assert.equal(versions.node.version, versions.troupe)
})

test('the node is found: --url, then TROUPE_URL, then the one that runs here', async (t) => {
  const folder = temporaryFolder(t)
  const env = { XDG_RUNTIME_DIR: folder }
  const announced = async (node) => JSON.parse(await node.line((line) => line.startsWith('{')))
  const here = run(t, ['--announce', 'json', '--data-dir', path.join(folder, 'a')], { env })
  const first = await announced(here)
  const nodeOf = async (args, more = {}) => {
    const result = await troupe([...args, 'version', '-o', 'json'], { env: { ...env, ...more } })
    return JSON.parse(done(result)).node?.node
  }

  assert.equal(await nodeOf([]), first.node)
  const second = await announced(run(t, ['--announce', 'json', '--data-dir', path.join(folder, 'b')], { env }))
  const both = await troupe(['ls'], { env })
  failed(both, 2, /2 nodes of yours run here.*--node/)
  for (const node of [first, second]) assert.ok(both.stderr.includes(`${node.node} at ${node.api}`))
  assert.equal(await nodeOf(['--node', second.node]), second.node)
  assert.equal(await nodeOf([], { TROUPE_URL: second.api }), second.node)
  assert.equal(await nodeOf(['--url', first.api], { TROUPE_URL: second.api }), first.node)
  assert.equal(await nodeOf(['--node', first.node], { TROUPE_URL: second.api }), first.node)
  failed(await troupe(['ls', '--node', 'n.nobody'], { env }), 3, /n\.nobody/)

  here.child.kill('SIGKILL') // leaves its file behind, which is then stale
  await here.exited
  assert.equal(await nodeOf([]), second.node)
})
