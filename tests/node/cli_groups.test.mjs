// SPDX-License-Identifier: Apache-2.0
//
// The CLI's timers, delays and groups against a real node.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { startStandIn, troupe, troupeAt } from './lib/troupe.mjs'
import { start } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

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

const DAY_MS = 86_400_000

test('timers are set, listed and cancelled', async (t) => {
  const cli = troupeAt((await start(t)).api)
  done(await cli('spawn', 'counter', '--name', 'hits'))
  const timers = (...args) => cli('timers', '@hits', ...args)
  const asJson = async (...args) => JSON.parse(done(await timers(...args, '-o', 'json')))
  assert.equal(done(await timers()), 'ID  ACTION  OF  DUE  EVERY  MISSED  SET BY\n')
  assert.equal(done(await timers('set', 'nightly', 'reset', '--delay', '90m', '--every', '1d')), '')
  const beat = await asJson('set', 'beat', 'add', '{"by":1}', '--every', '49d', '--missed', 'burst')
  assert.deepEqual([beat.id, beat.every_ms, beat.missed], ['beat', 49 * DAY_MS, 'burst'])
  const at = new Date(Date.now() + DAY_MS).toISOString()
  const single = await asJson('set', 'single', 'add', '--at', at)
  assert.deepEqual([single.due_at, single.every_ms], [at, null])
  assert.match(done(await timers()), /^nightly +message +reset +1h(29|30)m +1d00h +skip +client$/m)
  assert.deepEqual(done(await timers('-q')).trimEnd().split('\n').sort(), ['beat', 'nightly', 'single'])
  assert.equal(done(await timers('cancel', 'beat')), '')
  failed(await timers('cancel', 'beat'), 1, /cannot cancel the timer beat of @hits.*'troupe timers REF'/)
  assert.deepEqual(await asJson('cancel', 'single'), { ref: '@hits', id: 'single', cancelled: true })

  failed(await timers('set', 'x', 'nope', '--delay', '1s'), 4, /'troupe behaviors BEHAVIOR'/)
  failed(await timers('set', 'x', 'add', '{"by":"a"}', '--delay', '1s'), 4, /field \/body\/by/)
  for (const [args, pattern] of [
    [['set', 'x'], /an argument is missing; 'troupe timers REF set ID TYPE \[BODY\]'/],
    [['set', 'x', 'add'], /when\? give --delay TIME, --at MOMENT or --every TIME/],
    [['set', 'x', 'add', '--delay', '1s', '--at', at], /give one of them/],
    [['set', 'x', 'add', '{', '--delay', '1s'], /the body is not JSON/],
    [['set', 'x', 'add', '--delay', '50d'], /--delay is '50d'; it must be a time from 1ms to 1176h/],
    [['set', 'a b', 'add', '--delay', '1s'], /a timer has 1 to 64 of the characters/],
    [['cancel'], /one timer at a time/],
    [['stop'], /'stop' is nothing that can be done to timers/],
    [['cancel', 'x', '--watch'], /only the list can be watched/],
  ]) failed(await timers(...args), 2, pattern)
})

test('a timer comes, and so does a cast with a delay', async (t) => {
  const cli = troupeAt((await start(t)).api)
  done(await cli('spawn', 'counter', '--name', 'hits'))
  const value = async () => JSON.parse(done(await cli('call', '@hits', 'get'))).value
  done(await cli('timers', '@hits', 'set', 'now', 'add', '{"by":2}', '--delay', '1ms'))
  await eventually(async () => (await value()) === 2, 'the timer')
  assert.equal(done(await cli('cast', '@hits', 'add', '{"by":5}', '--delay', '1h')), '')
  assert.equal(await value(), 2)
  done(await cli('cast', '@hits', 'add', '{"by":5}', '-d', '1ms'))
  await eventually(async () => (await value()) === 7, 'the cast')
  failed(await cli('cast', '@hits', 'add', '--delay', '1001h'), 2, /must be a time from 1ms to 1000h/)
  failed(await cli('cast', '@hits', 'add', '--delay', 'soon'), 2, /--delay is 'soon'.* such as 500ms/)
})

test('actors join groups, are listed, and leave', async (t) => {
  const cli = troupeAt((await start(t)).api)
  const refs = []
  for (const name of ['left', 'right']) refs.push(done(await cli('spawn', 'counter', '--name', name)).trimEnd())
  assert.equal(done(await cli('groups')), 'GROUP  SCOPE  MEMBERS\n')
  for (const name of ['left', 'right']) assert.equal(done(await cli('groups', 'join', 'hands', `@${name}`)), '')
  done(await cli('groups', 'join', 'hands', refs[0], '--scope', 'clock'))
  assert.deepEqual(done(await cli('groups')).trimEnd().split('\n').slice(1).sort(),
    ['hands  -            2', 'hands  clock        1'])
  assert.equal(done(await cli('groups', '-q', '--scope', 'clock')), 'hands\n')
  assert.equal(done(await cli('groups', 'members', 'hands', '-q')), `${refs[0]}\n${refs[1]}\n`)
  assert.match(done(await cli('groups', 'members', 'hands')), /^REF +NAME +BEHAVIOR\nn\.\S+ +left +counter\n/)
  assert.equal(done(await cli('groups', 'members', 'hands', '--scope', 'clock', '-q')), `${refs[0]}\n`)
  assert.equal(done(await cli('groups', 'members', 'hands', '-q', '--watch=100ms', '--rounds', '2')),
    `${refs[0]}\n${refs[1]}\n\n${refs[0]}\n${refs[1]}\n`)
  assert.deepEqual(JSON.parse(done(await cli('groups', 'leave', 'hands', '@right', '-o', 'json'))),
    { group: 'hands', ref: '@right', member: false })
  failed(await cli('groups', 'leave', 'hands', '@right'), 1, /'troupe groups members GROUP' lists them/)
  failed(await cli('groups', 'join', 'hands', '@nobody'), 1, /cannot have @nobody join hands/)
  for (const [args, pattern] of [
    [['join', 'hands'], /an argument is missing: 'troupe groups join GROUP REF'/],
    [['members', 'a', 'b'], /an argument is too many: 'troupe groups members GROUP'/],
    [['kick', 'hands'], /'kick' is nothing that can be done to groups/],
    [['join', 'a/b', '@left'], /a group has 1 to 64/],
    [['members', 'a', '--scope', 'x y'], /a scope has 1 to 64/],
    [['cast', 'hands', 'add', '--watch'], /only lists can be watched/],
  ]) failed(await cli('groups', ...args), 2, pattern)
})

test('a message to a group has a result of each member', async (t) => {
  const cli = troupeAt((await start(t)).api)
  for (const [behavior, name] of [['counter', 'left'], ['counter', 'right']]) {
    done(await cli('spawn', behavior, '--name', name))
    done(await cli('groups', 'join', 'hands', `@${name}`))
  }
  assert.equal(done(await cli('groups', 'cast', 'hands', 'add', '{"by":5}')), '')
  assert.deepEqual(JSON.parse(done(await cli('groups', 'cast', 'hands', 'add', '{"by":1}', '-o', 'json'))),
    { members: 2, accepted: 2, refused: 0 })
  const table = done(await cli('groups', 'call', 'hands', 'get')).split('\n')
  assert.match(table[0], /^REF +STATUS +REPLY$/)
  assert.match(table[1], /^n\.\S+ +200 {2}\{"value":6\}$/)
  done(await cli('spawn', 'kv', '--name', 'odd'))
  done(await cli('groups', 'join', 'hands', '@odd'))
  const mixed = await cli('groups', 'call', 'hands', 'reset')
  failed(mixed, 1, /1 of 3 members did not answer/)
  assert.match(mixed.stdout, /^n\.\S+ +422 {2}unknown_type: /m)
  failed(await cli('groups', 'cast', 'hands', 'reset'), 1, /1 of 3 members did not take it/)
  const empty = await cli('groups', 'call', 'nobody', 'get', '-o', 'json')
  assert.deepEqual(JSON.parse(empty.stdout), { members: 0, replied: 0, refused: 0, results: [] })
  assert.match(empty.stderr, /nobody is in the group nobody/)
  assert.equal(empty.code, 0)
})

test('groups tail shows who joins and leaves', async (t) => {
  const urls = []
  const url = await startStandIn(t, (request, response) => {
    urls.push(request.url)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const [id, type, members] of [[1, 'join', 1], [2, 'leave', 0]]) {
      const data = { scope: 's', group: 'hands', ref: 'n.a.1.1', members }
      response.write(`id: 0a.${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
    }
  })
  const { stdout } = await troupe(['--url', url, 'groups', 'tail', 'hands', '--scope', 's', '--limit', '2'])
  assert.equal(stdout, 'join   n.a.1.1               1 member\nleave  n.a.1.1               0 members\n')
  assert.deepEqual(urls, ['/v1/groups/hands/events?scope=s'])
})
