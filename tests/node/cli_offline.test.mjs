// SPDX-License-Identifier: Apache-2.0
//
// The CLI where there is no proper node: help, usage, completion, nothing that listens, and what answers but is none.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'

import { startStandIn, troupe, troupeAt } from './lib/troupe.mjs'
import { within } from './lib/wait.mjs'

const source = (name) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

async function commands() {
  const { stdout } = await troupe(['help'])
  const list = stdout.split('Commands:\n')[1].split('\n\n')[0]
  return list.split('\n').map((line) => line.trim().split(' ')[0])
}

/** A port on which nothing listens: one that was just ours. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

// ---- help and usage ----

test('each command has its help, which the manual page and the docs repeat', async () => {
  const manual = source('docs/man/troupe.1').replaceAll('\\-', '-')
  const docs = source('docs/cli.md')
  const all = await commands()
  assert.equal(all.length, 26)
  for (const command of all) {
    const help = await troupe([command, '--help'])
    assert.equal(help.code, 0)
    assert.equal(help.stderr, '')
    assert.match(help.stdout, new RegExp(`^Usage: troupe ${command}\\b`))
    assert.equal((await troupe(['help', command])).stdout.split('\n')[1], help.stdout.split('\n')[1])
    assert.match(manual, new RegExp(`^\\.SS ${command}\\b`, 'm'))
    assert.match(docs, new RegExp(`^\\| \`troupe ${command}\\b`, 'm'))
    for (const [option] of help.stdout.matchAll(/--[a-z-]+/g)) {
      assert.ok(manual.includes(option), `${option} of ${command} is not in the manual page`)
      assert.ok(docs.includes(option), `${option} of ${command} is not in docs/cli.md`)
    }
  }
})

test('usage errors are exit code 2 and say what is wrong', async () => {
  const rows = [
    [[], /Usage: troupe/],
    [['frobnicate'], /no command 'frobnicate'.*troupe help/],
    [['spwan'], /did you mean 'spawn'\?/],
    [['help', 'frobnicate'], /no command 'frobnicate'/],
    [['--frobnicate'], /unrecognized option '--frobnicate'/],
    [['ls', '--frobnicate'], /unrecognized option '--frobnicate'/],
    [['ls', '--url'], /requires an argument/],
    [['ls', 'surplus'], /'surplus' is one argument too many/],
    [['info'], /an argument is missing: info REF/],
    [['call', '@a'], /an argument is missing: call REF TYPE \[BODY\]/],
    [['ls', '-o', 'xml'], /--output is 'xml'; it must be one of table\|json\|yaml/],
    [['ls', '--timeout', '5'], /--timeout is '5'.*500ms/],
    [['ls', '--limit', '-1'], /--limit is '-1'/],
    [['ls', '--url', 'ftp://x'], /http:\/\/ or https:\/\//],
    [['ls', '--url', 'http://me:secret@x'], /no user/],
    [['ls', '--url', 'http://x', '--node', 'n.a'], /twice/],
    [['completion', 'tcsh'], /bash, zsh or fish/],
    [['ls', '--color', 'blue'], /--color is 'blue'; it must be one of auto\|always\|never/],
    [['ls', '--watch=often', '--url', 'http://x'], /--watch is 'often'/],
    [['completion', 'bash', '--url', 'http://x'], /unrecognized option '--url'/],
    [['spawn', 'a b', '--url', 'http://127.0.0.1:1'], /a behavior has 1 to 64/],
  ]
  for (const [args, pattern] of rows) {
    const result = await troupe(args)
    assert.equal(result.code, 2, `${args.join(' ')}: ${result.stderr}`)
    assert.equal(result.stdout, '')
    assert.match(result.stderr, pattern)
    assert.ok(!result.stderr.includes('secret'))
  }
})

test('options may stand before the command, be shortened, and end with --', async () => {
  const early = await troupe(['--url', 'ftp://x', 'ls'])
  assert.match(early.stderr, /http:\/\/ or https:\/\//)
  assert.match((await troupe(['ls', '--ur=ftp://x'])).stderr, /http:\/\/ or https:\/\//)
  assert.match((await troupe(['call', 'x', 'add', '--url', 'http://127.0.0.1:1', '--', '-5'])).stderr, /write @x/)
  assert.match((await troupe(['--version'])).stdout, /^troupe \d+\.\d+\.\d+\S*\n$/)
  assert.match((await troupe(['--help'])).stdout, /Exit codes: 0 done/)
  assert.match((await troupe(['ls', '-h'])).stdout, /^Usage: troupe ls/)
})

test('output that cannot be written is a failure', async () => {
  const child = spawn('/bin/sh', ['-c', '"$TROUPE" help >/dev/full'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const [code] = await within(once(child, 'close'), 'the end of troupe help')
  assert.equal(code, 5)
  assert.match(stderr, /cannot write the output: No space left/)
})

// ---- completion ----

test('the bash completion parses and completes', async (t) => {
  const { stdout: script, code } = await troupe(['completion', 'bash'])
  assert.equal(code, 0)
  execFileSync('bash', ['-n'], { input: script })
  const names = { items: ['hits', 'hot', 'a b'].map((name) => ({ name, ref: 'n.a.1.1' })), next: null }
  const url = await startStandIn(t, (request, response) => json(response, names))

  const complete = async (line) => {
    const ask = `COMP_LINE=$1 COMP_POINT=\${#1}; _troupe; printf '%s\\n' "\${COMPREPLY[@]}"`
    const env = { ...process.env, TROUPE_URL: url }
    const typed = line.replace('troupe', process.env.TROUPE)
    const child = spawn('bash', ['-c', `${script}\n${ask}`, 'bash', typed], { env })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    await within(once(child, 'close'), `the completion of ${line}`)
    return stdout.split('\n').filter((word) => word !== '')
  }
  assert.deepEqual(await complete('troupe '), await commands())
  assert.deepEqual(await complete('troupe c'), ['call', 'cast', 'completion'])
  assert.deepEqual(await complete('troupe nodes --watch d'), ['drain'])
  assert.deepEqual(await complete('troupe tail -w5 @ho'), ['@hot'])
  assert.deepEqual(await complete('troupe token '), ['new', 'hash'])
  assert.deepEqual(await complete('troupe top --sort r'), ['rate'])
  assert.deepEqual(await complete('troupe stop --mo'), ['--mode'])
  assert.deepEqual(await complete('troupe stop --mode '), ['stop', 'drain', 'kill'])
  assert.deepEqual(await complete('troupe -o json stop --mode=d'), ['drain'])
  assert.deepEqual(await complete('troupe ls -o y'), ['yaml'])
  assert.deepEqual(await complete('troupe call @h'), ['@hits', '@hot'])
  assert.deepEqual(await complete('troupe info -t 1s '), ['@hits', '@hot', '@a\\ b'])
  assert.deepEqual(await complete('troupe call @hits '), [])
  assert.deepEqual(await complete('troupe timers @hits '), ['set', 'cancel'])
  assert.deepEqual(await complete('troupe timers @h'), ['@hits', '@hot'])
  assert.deepEqual(await complete('troupe groups --scope x m'), ['members'])
  assert.deepEqual(await complete('troupe trace --bodies @ho'), ['@hot'])
  assert.deepEqual(await complete('troupe timers @hits set x --missed '), ['skip', 'burst'])
  assert.deepEqual(await complete('troupe watch --d'), ['--dead'])
  assert.deepEqual(await complete('troupe completion '), ['bash', 'zsh', 'fish'])
  assert.deepEqual(await complete('troupe help na'), ['names'])
})

test('each shell gets each command and option', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout, code } = await troupe(['completion', shell])
    assert.equal(code, 0)
    for (const word of [...(await commands()), 'mailbox-policy', 'if-exists', 'drop_oldest', 'token-file']) {
      assert.ok(stdout.includes(word), `${word} is not in the script for ${shell}`)
    }
  }
})

// ---- nobody there ----

test('no node to be found is exit code 3, with the remedy', async () => {
  const none = await troupe(['ls'])
  assert.equal(none.code, 3)
  assert.match(none.stderr, /^troupe: no node of yours runs here .*'trouped'.*--url\n$/)

  const url = `http://127.0.0.1:${await freePort()}`
  const told = `troupe: cannot reach ${url}: connection refused; start a node with 'trouped' or give --url\n`
  for (const line of [
    'ls', 'spawn counter', 'call @a b', 'cast @a b', 'info @a', 'stop @a', 'names', 'names a', 'nodes', 'nodes n.a',
    'nodes drain n.a', 'watch', 'watch --dead', 'tail @a', 'tree', 'tree @a', 'trace @a', 'state @a', 'suspend @a',
    'resume @a', 'timers @a', 'timers @a set i t --delay 1s', 'timers @a cancel i', 'groups', 'groups members g',
    'groups join g @a', 'groups leave g @a', 'groups cast g t', 'groups call g t', 'groups tail g', 'behaviors',
    'behaviors counter', 'top', 'status', 'tickets', 'ls --watch']) {
    const result = await troupe([...line.split(' '), '--url', url])
    assert.equal(result.code, 3)
    assert.equal(result.stderr, told)
  }
  const proxied = await troupe(['ls', '--url', url], { env: { http_proxy: 'http://127.0.0.1:9', HTTP_PROXY: '' } })
  assert.match(proxied.stderr, /cannot reach .*: connection refused/) // and not by way of the proxy
})

test('doctor and version work without a node', async () => {
  const lost = await troupe(['doctor'])
  assert.equal(lost.code, 1)
  assert.match(lost.stdout, /^fail {2}address {5}no node of yours runs here/)
  const refused = await troupe(['doctor', '--url', `http://127.0.0.1:${await freePort()}`])
  assert.equal(refused.code, 1)
  assert.match(refused.stdout, /^ok {4}address .*\nfail {2}reach .*connection refused.*trouped.*\n$/)
  const version = await troupe(['version', '-o', 'yaml'])
  assert.equal(version.code, 0)
  assert.match(version.stdout, /^troupe: "\S+"\nnode: null\n$/)
})

// ---- odd answers ----

function json(response, document, status = 200, type = 'application/json') {
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  response.writeHead(status, { 'content-type': type }).end(text)
}

test('what answers but is no node is exit code 3', async (t) => {
  const rows = [
    [(response) => json(response, '<html>', 200, 'text/html'), /not JSON/],
    [(response) => json(response, '{"items":'), /damaged JSON/],
    [(response) => json(response, { things: [] }), /not the document/],
    [(response) => json(response, { items: [], next: 5 }), /not a page/],
    [(response) => json(response, '<h1>Bad</h1>', 502, 'text/html'), /status 502 with content type 'text\/html'/],
    [(response) => json(response, 'nothing here', 404, 'text/plain'), /status 404/],
    [(response) => response.writeHead(301, { location: '/elsewhere' }).end(), /status 301/],
    [(response) => response.writeHead(204).end(), /not JSON/],
    [(response) => response.socket.end('SSH-2.0-OpenSSH_9.2\r\n'), /HTTP/],
    [(response) => response.socket.destroy(), /cannot reach|no node/],
  ]
  for (const [answer, pattern] of rows) {
    const result = await troupeAt(await startStandIn(t, (request, response) => answer(response)))('ls')
    assert.equal(result.code, 3, result.stderr)
    assert.match(result.stderr, /^troupe: [^\n]+\n$/)
    assert.match(result.stderr, pattern)
  }
})

test('an answer that does not come, or does not end, is exit code 3', async (t) => {
  const silent = troupeAt(await startStandIn(t, () => {}))
  const result = await silent('ls', '--timeout', '100ms')
  assert.equal(result.code, 3)
  assert.match(result.stderr, /did not answer: no answer within 100 ms/)

  const chunk = Buffer.alloc(1 << 20, 'a')
  const endless = troupeAt(await startStandIn(t, (request, response) => {
    const more = () => { while (response.write(chunk)); }
    response.writeHead(200, { 'content-type': 'application/json' }).on('drain', more)
    response.on('error', () => {})
    more()
  }))
  const flood = await endless('call', '@a', 'b')
  assert.equal(flood.code, 3)
  assert.match(flood.stderr, /the answer is over \d+ bytes/)
})

test('a problem is told in one line: what, why, where, and what to do', async (t) => {
  const problems = {
    full: [429, { code: 'mailbox_full', title: 'Full', detail: '9 wait', retry: 'yes', retry_after_ms: 250 }],
    poor: [409, { code: 'app.overdrawn', title: 'Refused', detail: 'balance is 3' }],
    evil: [400, { code: 'invalid', title: 'Not valid', detail: 'a\u001b[2Jb\nc', field: 'by' }],
    old: [410, { code: 'gone', title: 'Gone', detail: 'Gone' }],
    lost: [404, { code: 'no_route', title: 'There is no such route' }],
    none: [404, { code: 'not_found', title: 'None', detail: 'nobody is here; GET /v1/names', field: 'ref' }],
    type: [422, { code: 'unknown_type', title: 'Type', detail: 'it takes no x; GET /v1/behaviors' }],
    odd: [429, { code: 'limit', title: 'Odd', detail: 'it takes no more; look at y' }],
  }
  const cli = troupeAt(await startStandIn(t, (request, response) => {
    const [status, problem] = problems[/@(\w+)/.exec(request.url)[1]]
    json(response, { status, ...problem }, status, 'application/problem+json')
  }))
  const told = async (name, code) => {
    const result = await cli('call', `@${name}`, 'x')
    assert.equal(result.code, code)
    return result.stderr.replace(`troupe: cannot call @${name} x: `, '')
  }
  const larger = 'send slower, or spawn the actor with a larger mailbox'
  assert.equal(await told('full', 4), `Full: 9 wait (retry after 250 ms); ${larger}\n`)
  assert.equal(await told('poor', 4), 'Refused: balance is 3 (app.overdrawn)\n')
  assert.equal(await told('evil', 4), 'Not valid: a\\x1b[2Jb\\x0ac (field by)\n')
  assert.match(await told('old', 1), /^Gone; spawn it again/)
  assert.match(await told('lost', 4), /troupe doctor/)
  // One remedy: the program's own, where the node's speaks of requests; else the node's.
  assert.equal(await told('none', 1), "None: nobody is here (field ref); 'troupe ls' shows what runs\n")
  assert.equal(await told('type', 4), "Type: it takes no x; 'troupe behaviors BEHAVIOR' shows what it takes\n")
  assert.equal(await told('odd', 4), 'Odd: it takes no more; look at y\n')
})

test('short and empty pages are followed; a cursor that stands still is not', async (t) => {
  const pages = { '': [['n.a.1.1'], '1'], 1: [[], '2'], 2: [['n.a.2.1', 'n.a.3.1'], '3'], 3: [[], null] }
  const asked = []
  const cli = troupeAt(await startStandIn(t, (request, response) => {
    const query = new URL(request.url, 'http://x').searchParams
    asked.push(query.get('limit'))
    const [refs, next] = pages[query.get('cursor') ?? '']
    json(response, { items: refs.map((ref) => ({ ref })), next })
  }))
  assert.equal((await cli('ls', '-q')).stdout, 'n.a.1.1\nn.a.2.1\nn.a.3.1\n')
  assert.deepEqual(asked, ['100', '99', '99', '97'])
  const two = await cli('ls', '-o', 'json', '--limit', '2')
  assert.deepEqual(JSON.parse(two.stdout), { items: [{ ref: 'n.a.1.1' }, { ref: 'n.a.2.1' }], next: '3' })
  assert.match((await cli('ls', '--limit', '0')).stdout, /^REF +NAME.*\nn\.a\.1\.1 +- /)

  const stuck = troupeAt(await startStandIn(t, (request, response) => json(response, { items: [], next: 'same' })))
  for (const args of [['ls'], ['top', '--rounds', '1']]) {
    const result = await stuck(...args)
    assert.equal(result.code, 3)
    assert.match(result.stderr, /the same cursor twice/)
  }
  assert.match((await stuck('status')).stdout, /^trouble +the node gave the same cursor twice$/m)
})

test('numbers keep their value through -o json and -o yaml', async (t) => {
  const reply = '{"a":0.1,"b":0.30000000000000004,"c":1e300,"d":9007199254740993,"e":1.0}'
  const cli = troupeAt(await startStandIn(t, (request, response) => json(response, reply)))
  const text = (await cli('call', '@a', 'b', '-o', 'json')).stdout
  assert.match(text, /"d": 9007199254740993,\n {2}"e": 1\.0\n/)
  assert.deepEqual(JSON.parse(text), JSON.parse(reply))
  const yaml = 'a: 0.1\nb: 0.30000000000000004\nc: 1e+300\nd: 9007199254740993\ne: 1.0\n'
  assert.equal((await cli('call', '@a', 'b', '-o', 'yaml')).stdout, yaml)
  assert.equal((await cli('call', '@a', 'b')).stdout, `${reply}\n`)
})

test('doctor tells an open Host rule, a slow clock and another version', async (t) => {
  const cli = troupeAt(await startStandIn(t, (request, response) => {
    response.sendDate = false
    response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString())
    if (request.url === '/readyz') {
      return json(response, { code: 'draining', title: 'The node is draining' }, 503, 'application/problem+json')
    }
    return json(response, { node: 'n.a', version: '99.0.0' })
  }))
  const { stdout, code } = await cli('doctor')
  assert.equal(code, 1)
  assert.match(stdout, /^ok {4}live/m)
  assert.match(stdout, /^fail {2}ready .*draining/m)
  assert.match(stdout, /^warn {2}version .*99\.0\.0/m)
  assert.match(stdout, /^warn {2}clock .*behind/m)
  assert.match(stdout, /^warn {2}host rule .*--allow-host/m)
})
