// SPDX-License-Identifier: Apache-2.0
//
// troupe token: what is printed where, and what the token file has afterwards. Asks no node.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { troupe } from './lib/troupe.mjs'
import { temporaryFolder } from './lib/trouped.mjs'

const sha256 = (text) => createHash('sha256').update(text).digest('hex')
const form = /^tt_[A-Za-z0-9_-]{43}$/

async function done(args, options) {
  const { stdout, stderr, code } = await troupe(args, options)
  assert.equal(stderr, '')
  assert.equal(code, 0)
  return stdout
}

test('token new prints a token and its row', async () => {
  const lines = (await done(['token', 'new', '--id', 'web', '--grant', 'read'])).split('\n')
  const token = lines[0].replace(/^token {2}/, '')
  assert.match(token, form)
  assert.deepEqual(JSON.parse(lines[1].replace(/^row {4}/, '')),
    { id: 'web', sha256: sha256(token), subject: 'web', grants: ['read'] })
  assert.equal(lines.length, 3)
})

test('token new takes all that a row can have', async () => {
  const limits = ['--rate', '100', '--connections-max', '1000', '--expires', '2130-01-31T12:00:00Z']
  const grants = ['-g', 'message:counter/*:add', '--grant', 'spawn:counter/*', '-g', '*']
  const names = ['--id', 'a.b_c-1', '--subject', 'caf\u00e9', '--name-prefix', 'web-']
  const { token, row } = JSON.parse(await done(['token', 'new', '-o', 'json', ...names, ...grants, ...limits]))
  assert.deepEqual(row, {
    id: 'a.b_c-1', sha256: sha256(token), subject: 'caf\u00e9',
    grants: ['message:counter/*:add', 'spawn:counter/*', '*'], name_prefix: 'web-', rate: 100, connections_max: 1000,
    expires_at: '2130-01-31T12:00:00Z',
  })
  for (const [time, days] of [['30d', 30], ['12h', 0.5]]) {
    const before = Math.floor(Date.now() / 1000) * 1000
    const dated = await done(['token', 'new', '--id', 'x', '-g', 'read', '-o', 'json', '--expires', time])
    const left = Date.parse(JSON.parse(dated).row.expires_at) - before - days * 86_400_000
    assert.ok(left >= 0 && left < 60_000, dated)
  }
})

test('with --file the row goes there, and only the token is printed', async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'tokens.json')
  const make = (id) => ['token', 'new', '--id', id, '--grant', 'read', '--file', file]
  const token = (await done(make('web'))).trimEnd()
  assert.match(token, form)
  const { tokens } = JSON.parse(readFileSync(file, 'utf8'))
  assert.equal(tokens[0].sha256, sha256(token))
  assert.ok(!readFileSync(file, 'utf8').includes(token))
  assert.equal(statSync(file).mode & 0o777, 0o600)

  const again = await troupe(make('web'))
  assert.equal(again.code, 2)
  assert.equal(again.stdout, '')
  assert.match(again.stderr, /has a token with the id 'web' already; choose another --id/)
  await Promise.all(Array.from({ length: 8 }, (_, i) => done(make(`many-${i}`)))) // at once: none is lost
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).tokens.length, 9)
  assert.deepEqual(readdirSync(folder), ['tokens.json'])

  writeFileSync(file, 'not json')
  const odd = await troupe(make('other'))
  assert.equal(odd.code, 2)
  assert.match(odd.stderr, /is no token file/)
  assert.equal(readFileSync(file, 'utf8'), 'not json')
  const nowhere = await troupe([...make('x').slice(0, -1), path.join(folder, 'none', 'tokens.json')])
  assert.equal(nowhere.code, 5)
  assert.equal(nowhere.stdout, '', 'a token that nobody knows is not shown')
  assert.match(nowhere.stderr, /cannot open the folder .*: No such file/)
})

test('token hash reads a token from standard input', async () => {
  assert.equal(await done(['token', 'hash'], { input: 'tt_x\n' }), `${sha256('tt_x')}\n`)
  const document = JSON.parse(await done(['token', 'hash', '-o', 'json'], { input: 'tt_x\r\n' }))
  assert.deepEqual(document, { sha256: sha256('tt_x') })
  const none = await troupe(['token', 'hash'])
  assert.equal(none.code, 2)
  assert.match(none.stderr, /standard input has no token/)
})

test('token says what is missing or wrong', async () => {
  const make = ['token', 'new', '--id', 'web', '--grant', 'read']
  for (const [args, pattern] of [
    [['token'], /an argument is missing: token new\|hash/],
    [['token', 'old'], /'old' is nothing that can be done with a token; choose new or hash/],
    [['token', 'tt_secret'], /never an argument/],
    [['token', 'new'], /which token\? Give it an --id/],
    [['token', 'new', '--id', 'a b', '-g', 'read'], /--id is 1 to 64/],
    [['token', 'new', '--id', 'web'], /what may the token do\?.*--grant read/],
    [['token', 'new', '--id', 'web', '-g', 'reed'], /--grant 'reed' does not begin with a scope: read, message/],
    [[...make, '--expires', 'soon'], /--expires is 'soon'/],
    [[...make, '--expires', '2001-01-01T00:00:00Z'], /a moment that is to come/],
    [[...make, '--rate', '-1'], /--rate is '-1'/],
    [[...make, '--url', 'http://x'], /unrecognized option '--url'/],
  ]) {
    const { stdout, stderr, code } = await troupe(args)
    assert.equal(code, 2, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, pattern)
    assert.ok(!stderr.includes('secret'))
  }
})
