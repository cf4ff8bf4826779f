// SPDX-License-Identifier: Apache-2.0
//
// tail and watch against a stand-in for a node, which can break off where no node would: what is printed, how a lost
// connection goes on, which refusals are final, and that a token goes along.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { startStandIn, troupe, troupeAt } from './lib/troupe.mjs'
import { temporaryFolder } from './lib/trouped.mjs'
import { within } from './lib/wait.mjs'

const event = (id, type, data) => `id: ${id}\nevent: ${type}\ndata: ${data.replaceAll('\n', '\ndata: ')}\n\n`

/** Answer with an event stream; it stays open. */
function open(response, ...texts) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const text of texts) response.write(text)
  return response
}

function refuse(response, status, problem) {
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ status, ...problem }))
}

/** A stand-in that answers the n-th request with the n-th of these functions, and the requests it saw. */
async function startScript(t, ...answers) {
  const requests = []
  const url = await startStandIn(t, (request, response) => {
    requests.push(request)
    answers[Math.min(requests.length, answers.length) - 1](response, request)
  })
  return { cli: troupeAt(url), url, requests }
}

test('tail prints each event on a line, as it comes', async (t) => {
  const { cli, requests } = await startScript(t, (response) => open(response, 'retry: 100\n\n: ping\n\n',
    event('0a.1', 'add', '{"by":2}'), event('0a.2', 'note', 'two\nlines \u001b[2J'), event('0a.3', 'add', '{"by":3}')))
  const { stdout, stderr, code } = await cli('tail', '@hits', '--limit', '3', '--from', 'oldest')
  assert.equal(stdout, '0a.1  add  {"by":2}\n0a.2  note  two\\x0alines \\x1b[2J\n0a.3  add  {"by":3}\n')
  assert.equal(stderr, '')
  assert.equal(code, 0)
  assert.equal(requests[0].url, '/v1/actors/@hits/events?from=oldest')
  assert.equal(requests[0].headers.accept, 'text/event-stream')
})

test('an event is out before the next one comes', async (t) => {
  const { url } = await startScript(t, (response) => open(response, event('0a.1', 'add', '1')))
  const child = spawn(process.env.TROUPE, ['--url', url, 'tail', '@hits'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [first] = await within(once(child.stdout.setEncoding('utf8'), 'data'), 'the first event')
  child.kill('SIGINT')
  const [code, signal] = await within(once(child, 'close'), 'the end of tail')
  assert.equal(first, '0a.1  add  1\n')
  assert.deepEqual([code, signal], [null, 'SIGINT']) // a shell's && stops, as with any program
})

test('with -o json each event is a line, with -o yaml a document', async (t) => {
  const { cli } = await startScript(t, (response) => open(response, event('0a.1', 'add', '{"by":[1,0.1]}'),
    event('0a.2', 'note', 'no json'), event('0a.3', 'troupe.lagged', '{"missed":4}'), event('0a.7', 'add', '"x"')))
  const { stdout, stderr } = await cli('tail', 'n.a.1.1', '--limit', '3', '-o', 'json')
  assert.deepEqual(stdout.trimEnd().split('\n').map((line) => JSON.parse(line)), [
    { id: '0a.1', event: 'add', data: { by: [1, 0.1] } },
    { id: '0a.2', event: 'note', data: 'no json' },
    { id: '0a.3', event: 'troupe.lagged', data: { missed: 4 } },
    { id: '0a.7', event: 'add', data: 'x' },
  ])
  assert.match(stderr, /^troupe: 4 events were missed: [^\n]+\n$/)
  const yaml = await cli('tail', 'n.a.1.1', '--limit', '1', '-o', 'yaml')
  assert.match(yaml.stdout, /^---\nid: "0a\.1"\nevent: add\ndata:\n {2}by:\n/)
})

test('bytes that are no UTF-8 do not end a stream', async (t) => {
  const odd = Buffer.from('id: \xff\nevent: a\xfe\ndata: \xc0\x80\n\n', 'latin1')
  const { cli } = await startScript(t, (response) => open(response, odd, event('0a.2', 'add', '2')))
  const { stdout, code } = await cli('tail', '@hits', '--limit', '2', '-o', 'json')
  assert.deepEqual(stdout.trimEnd().split('\n').map((line) => JSON.parse(line)),
    [{ id: null, event: null, data: null }, { id: '0a.2', event: 'add', data: 2 }])
  assert.equal(code, 0)
})

test('a lost connection goes on behind the last event', async (t) => {
  const { cli, requests } = await startScript(t,
    (response) => {
      open(response, 'retry: 100\n\n', event('0a.1', 'add', '1'))
      response.write('id: 0a.2\ndata: half', () => response.socket.destroy())
    },
    (response) => refuse(response, 503, { code: 'draining', title: 'The node is draining' }),
    (response) => open(response, event('0a.2', 'add', '2')))
  const { stdout, stderr, code } = await cli('tail', '@hits', '--limit', '2', '--after', '09.9')
  assert.equal(stdout, '0a.1  add  1\n0a.2  add  2\n')
  const [loss, rest] = stderr.split(/(?<=\n)/)
  assert.match(loss, /^troupe: the connection to http:\S+ is lost: .+; trying again in 0\.\ds\n$/)
  assert.equal(rest, 'troupe: connected again\n')
  assert.equal(code, 0)
  assert.deepEqual(requests.map((request) => request.headers['last-event-id']), [undefined, '0a.1', '0a.1'])
  assert.equal(requests[2].url, '/v1/actors/@hits/events?after=09.9')
})

test('the end of the actor is told and is the end', async (t) => {
  const down = event('0a.2', 'troupe.down', '{"ref":"n.a.1.1","cause":"stopped","detail":"over"}')
  const { cli } = await startScript(t, (response) => open(response, event('0a.1', 'add', '1'), down))
  const { stdout, stderr, code } = await cli('tail', '@hits')
  assert.equal(stdout, '0a.1  add  1\n')
  assert.equal(stderr, 'troupe: the actor has ended: stopped: over\n')
  assert.equal(code, 0)
})

test('what will not pass is final, with its exit code and remedy', async (t) => {
  const rows = [
    [404, { code: 'not_found', title: 'There is no such thing' }, 1, /cannot follow @hits: .*'troupe ls'/],
    [410, { code: 'gone', title: 'The actor has ended' }, 1, /spawn it again/],
    [401, { code: 'unauthorized', title: 'A token is needed' }, 4, /--token-file FILE or in TROUPE_TOKEN/],
    [403, { code: 'forbidden', title: 'Not granted' }, 4, /--token-file/],
    [421, { code: 'wrong_host', title: 'Wrong host' }, 4, /--allow-host/],
    [429, { code: 'rate_limited', title: 'Too many', retry_after_ms: 20 }, 4, /retry after 20 ms.*send slower/],
  ]
  for (const [status, problem, code, pattern] of rows) {
    const first = await startScript(t, (response) => refuse(response, status, problem))
    const result = await first.cli('tail', '@hits')
    assert.equal(result.code, code, result.stderr)
    assert.match(result.stderr, pattern)
    assert.equal(result.stderr.split('\n').length, 2)
    assert.equal(first.requests.length, 1)
    if (status === 429) continue // which passes, once there was a stream
    const later = await startScript(t, (response) => open(response, 'retry: 0\n\n').end(),
      (response) => refuse(response, status, problem))
    assert.equal((await later.cli('tail', '@hits')).code, code)
  }
})

test('what answers but is no stream is exit code 3', async (t) => {
  for (const [answer, pattern] of [
    [(response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'), /not an event stream/],
    [(response) => response.writeHead(200, { 'content-type': 'text/event-streams' }).end('data: a\n\n'), /not an ev/],
    [(response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>'), /status 502/],
    [(response) => response.socket.end('SSH-2.0-OpenSSH_9.2\r\n'), /HTTP/],
    [() => {}, /no answer within 200 ms/],
  ]) {
    const { cli } = await startScript(t, answer)
    const { stdout, stderr, code } = await cli('watch', '--timeout', '200ms')
    assert.equal(code, 3, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, pattern)
  }
  const chosen = await startScript(t, (response) => response.writeHead(204).end())
  assert.deepEqual(await chosen.cli('watch'), { stdout: '', stderr: '', code: 0, signal: null })
})

test('watch tells who came and went', async (t) => {
  const node = { node: 'n.4tq8v1m02x7kc', state: 'up', api: 'http://127.0.0.1:41873', revision: 3 }
  const at = '2026-01-02T03:04:05.678Z'
  const { cli, requests } = await startScript(t, (response) => open(response,
    event('0a.1', 'node.up', JSON.stringify({ ...node, at })), event('0a.2', 'registry.lost', JSON.stringify({ at }))))
  const { stdout, code } = await cli('watch', '--limit', '2')
  assert.equal(stdout, `${at}  node.up         n.4tq8v1m02x7kc  up        http://127.0.0.1:41873\n` +
    `${at}  registry.lost   -                -         -\n`)
  assert.equal(code, 0)
  assert.equal(requests[0].url, '/v1/events')
  const coloured = await cli('watch', '--limit', '1', '--color', 'always')
  assert.ok(coloured.stdout.includes('\u001b[32mnode.up\u001b[0m  '))
})

// ---- tokens ----

test('a token goes along from a file or the environment, and never from an argument', async (t) => {
  const file = path.join(temporaryFolder(t), 'token')
  const { url, requests } = await startScript(t, (response, request) => {
    if (request.url.endsWith('/events')) return open(response, event('0a.1', 'add', '1'))
    return response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[],"next":null}')
  })
  const sent = () => requests.at(-1).headers.authorization
  writeFileSync(file, '  tt_from-file\r\n\n')

  await troupe(['--url', url, 'ls'])
  assert.equal(sent(), undefined)
  await troupe(['--url', url, 'ls'], { env: { TROUPE_TOKEN: 'tt_from-env' } })
  assert.equal(sent(), 'Bearer tt_from-env')
  await troupe(['--url', url, 'ls', '--token-file', file], { env: { TROUPE_TOKEN: 'tt_from-env' } })
  assert.equal(sent(), 'Bearer tt_from-file')
  await troupe(['--url', url, 'tail', '@a', '--limit', '1', '--token-file', file])
  assert.equal(sent(), 'Bearer tt_from-file')
  assert.equal((await troupe(['ls', '--url', url, '--token', 'tt_x'])).code, 2) // short for --token-file: no such file
})

test('a token that is none is refused here, and not shown', async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'token')
  for (const [text, pattern] of [
    ['tt_two\ntt_tokens', /is not a token: 1 to 512 visible ASCII/],
    ['', /is not a token/],
    ['tt_secret\u0000', /no file with one token/],
    ['x'.repeat(600), /no file with one token/],
  ]) {
    writeFileSync(file, text)
    const { stderr, code } = await troupe(['ls', '--url', 'http://127.0.0.1:1', '--token-file', file])
    assert.equal(code, 2, stderr)
    assert.match(stderr, pattern)
    assert.ok(!stderr.includes('tt_'))
  }
  const missing = await troupe(['ls', '--url', 'http://127.0.0.1:1', '--token-file', path.join(folder, 'none')])
  assert.match(missing.stderr, /cannot read the token from .*: No such file/)
  const spaced = await troupe(['ls', '--url', 'http://127.0.0.1:1'], { env: { TROUPE_TOKEN: 'tt_a b' } })
  assert.match(spaced.stderr, /what TROUPE_TOKEN holds is not a token/)
  assert.ok(!spaced.stderr.includes('tt_a'))
})

test('a refused token has another remedy than none', async (t) => {
  const { url } = await startScript(t, (response) => refuse(response, 401, { code: 'unauthorized', title: 'No' }))
  const without = await troupe(['--url', url, 'ls'])
  assert.match(without.stderr, /give a token by --token-file/)
  const wrong = await troupe(['--url', url, 'ls'], { env: { TROUPE_TOKEN: 'tt_x' } })
  assert.match(wrong.stderr, /does not know this token, or it has expired/)
  const doctor = await troupe(['--url', url, 'doctor'])
  assert.match(doctor.stdout, /^fail {2}reach .*--token-file/m)
})

test('the answer that a lost stream waits for has its own limit', async (t) => {
  const { cli, requests } = await startScript(t, (response) => open(response, 'retry: 0\n\n').end(), () => {},
    (response) => open(response, event('0a.1', 'add', '1')))
  const { stdout, code } = await cli('tail', '@hits', '--limit', '1', '--timeout', '150ms')
  assert.equal(stdout, '0a.1  add  1\n')
  assert.equal(code, 0)
  assert.equal(requests.length, 3)
})
