// SPDX-License-Identifier: Apache-2.0
//
// The two ports of a node: bound once and told everywhere, inherited, IPv4 and IPv6, listened on again elsewhere; and
// the first frame on the peer port.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'

import { runtimeFolder, startCluster } from './lib/cluster.mjs'
import { openEvents } from './lib/events.mjs'
import { askPeer, askRegistry, exchange, hello, peerPortOf, secretOf } from './lib/proof.mjs'
import { Connection } from './lib/socket.mjs'
import { run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually, within } from './lib/wait.mjs'

/** A listening socket that accepts nothing. */
async function occupy(t, port = 0, host = '127.0.0.1') {
  const server = net.createServer().listen({ port, host, exclusive: true })
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
  t.after(() => server.close())
  return server.address().port
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

const answers = async (port, host = '127.0.0.1') => {
  const connection = await Connection.open(port, host)
  const name = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const response = await connection.request('GET', '/version', { host: name })
  connection.close()
  return response.status === 200
}

const refuses = (port) => Connection.open(port).then((connection) => connection.close(), (error) => error.code)

const relisten = (node, json) => node.request('POST', '/v1/node/relisten', { json })

const secretAt = (node) => secretOf(node.folder, node.ready.cluster)

// ---- told everywhere ----

test('both ports are told alike by the line, the ports file, /v1/node, /v1/nodes and the registry', async (t) => {
  const node = await start(t)
  assert.deepEqual(JSON.parse(readFileSync(node.portsFile, 'utf8')), node.ready)
  assert.deepEqual(Object.keys(node.ready), ['event', 'cluster', 'node', 'api', 'peer', 'pid'])
  const about = (await node.request('GET', '/v1/node')).json
  assert.equal(about.api, node.ready.api)
  assert.equal(about.peer, node.ready.peer)
  assert.equal(about.trouble, null)
  const ports = { api: node.port, peer: peerPortOf(node) }
  assert.notEqual(ports.api, ports.peer)
  for (const endpoint of about.endpoints) {
    assert.deepEqual([endpoint.port, endpoint.bound_port], [ports[endpoint.purpose], ports[endpoint.purpose]])
  }
  const { items } = (await node.request('GET', '/v1/nodes')).json
  assert.deepEqual(items.map(({ node: id, api, peer, state }) => ({ id, api, peer, state })),
    [{ id: node.ready.node, api: node.ready.api, peer: node.ready.peer, state: 'up' }])
  assert.deepEqual(items[0].endpoints, about.endpoints)
  assert.equal((await askRegistry(node, 'GET', '/v1/registry')).json.node, node.ready.node)
})

test('the human lines are ready to paste', async (t) => {
  const node = run(t, ['--listen-api', '127.0.0.1:0'])
  const url = (await node.line((line) => line.startsWith('export URL='))).slice('export URL='.length)
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.equal(await node.line((line) => line.startsWith('trouped --join')), `trouped --join ${url}`)
})

test('labels and the advertised addresses are told, apart from the bound ones', async (t) => {
  const node = await start(t, ['--label', 'zone=a', '--label', 'zone=b', '--label', 'rack=a=1', '--advertise',
    'node.example:443', '--advertise-peer', '[2001:db8::1]:7000'])
  assert.equal(node.ready.api, 'http://node.example:443')
  assert.equal(node.ready.peer, '[2001:db8::1]:7000')
  const port = Number(new URL(node.ready.api_bound).port)
  const connection = await Connection.open(port)
  const about = (await connection.request('GET', '/v1/node', { host: 'node.example' })).json
  connection.close()
  assert.deepEqual(about.labels, { zone: 'b', rack: 'a=1' })
  const [api, peer] = about.endpoints
  assert.deepEqual([api.host, api.port, api.bound_port], ['node.example', 443, port])
  assert.deepEqual([peer.host, peer.port], ['2001:db8::1', 7000])
  assert.notEqual(peer.bound_port, 7000)
})

// ---- refusals ----

for (const [what, args, pattern] of [
  ['a label without a key', ['--label', '=a'], /--label.*zone=a/],
  ['a label without a value mark', ['--label', 'zone'], /--label/],
  ['a label with a strange key', ['--label', 'zo ne=a'], /--label/],
  ['a URL with a path', ['--join', 'http://127.0.0.1:1/v1'], /--join.*host and port alone/],
  ['a URL of another scheme', ['--join', 'https://127.0.0.1:1'], /--join.*http:/],
  ['a URL without a host', ['--join', 'http://:80'], /--join/],
  ['file: without a path', ['--join', 'file:'], /--join/],
  ['a lease that is too short', ['--lease', '499ms'], /--lease.*500ms/],
  ['a peer address without port', ['--listen-peer', '127.0.0.1'], /--listen-peer.*127\.0\.0\.1:0/],
  ['an advertised peer port of 0', ['--advertise-peer', 'a:0'], /--advertise-peer/],
]) {
  test(`${what} is refused at the start`, async (t) => {
    const { code, stderr } = await run(t, args).untilExit()
    assert.equal(code, 2, stderr)
    assert.match(stderr, pattern)
  })
}

test('a peer port that is taken is an error with the remedy, and the API port is not announced', async (t) => {
  const port = await occupy(t)
  const { code, stdout, stderr } = await run(t, ['--listen-peer', `127.0.0.1:${port}`]).untilExit()
  assert.equal(code, 3)
  assert.match(stderr, new RegExp(`--listen-peer: cannot bind 127\\.0\\.0\\.1 port ${port}.*in use.*port 0`))
  assert.equal(stdout, '')
})

test('a node without descriptors for its control thread never says that it is ready', async (t) => {
  const folder = temporaryFolder(t)
  for (const files of [12, 16, 20, 24, 28, 32, 40]) {
    const child = spawn('sh', ['-c', `ulimit -n ${files}; exec "$0" --workers 1`, process.env.TROUPED],
      { cwd: folder, env: { ...process.env, XDG_RUNTIME_DIR: folder }, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    const said = new Promise((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text) => resolve(stdout += text))
    })
    const ended = new Promise((resolve) => child.on('close', resolve))
    const end = await within(Promise.race([ended, said]), `trouped with ${files} descriptors`)
    if (stdout === '') {
      assert.equal(end, 1, `${files} descriptors`)
      continue
    }
    const port = Number(/export URL=http:\/\/127\.0\.0\.1:(\d+)/.exec(stdout)[1])
    assert.ok(await answers(port), `${files} descriptors: it said that it was ready`)
    child.kill('SIGTERM')
    assert.equal(await within(ended, 'the end of trouped'), 0)
  }
})

// ---- IPv6 and all addresses ----

test('a node on [::1] has both ports there, and another joins it', async (t) => {
  const cluster = await startCluster(t, 2, { args: ['--listen-api', '[::1]:0', '--lease', '3s'] })
  for (const node of cluster.nodes) {
    assert.match(node.ready.api, /^http:\/\/\[::1\]:\d+$/)
    assert.match(node.ready.peer, /^\[::1\]:\d+$/)
    assert.ok(await answers(node.port, '::1'))
    const secret = secretOf(cluster.env.XDG_RUNTIME_DIR, node.ready.cluster)
    const here = await askPeer(peerPortOf(node), secret, node.ready.cluster, node.ready.node, { host: '::1' })
    assert.equal(here.protocol, 1)
  }
})

test('[::] takes IPv4 too, on both ports', async (t) => {
  const node = await start(t, ['--listen-api', '[::]:0', '--insecure'])
  assert.match(node.ready.api, /^http:\/\/\[::1\]:\d+$/)
  for (const host of ['127.0.0.1', '::1']) assert.ok(await answers(node.port, host), host)
  for (const host of ['127.0.0.1', '::1']) {
    assert.equal((await exchange(peerPortOf(node), Buffer.alloc(80), { host })).length, 0)
  }
})

test('0.0.0.0 is told as 127.0.0.1', async (t) => {
  const node = await start(t, ['--listen-api', '0.0.0.0:0', '--insecure'])
  assert.match(node.ready.api, /^http:\/\/127\.0\.0\.1:\d+$/)
  assert.match(node.ready.peer, /^127\.0\.0\.1:\d+$/)
})

// ---- LISTEN_FDS ----

/** Start a node with listening sockets as descriptors 3 and on; `environment` is what systemd would set. */
async function inherit(t, listens, environment, args = []) {
  const servers = await Promise.all(listens.map(async ({ host = '127.0.0.1' } = {}) => {
    const server = net.createServer().listen(0, host)
    await new Promise((resolve) => server.once('listening', resolve))
    return server
  }))
  const ports = servers.map((server) => server.address().port)
  const folder = temporaryFolder(t)
  const script = 'export LISTEN_PID=$$; exec "$0" "$@"'
  const child = spawn('sh', ['-c', script, process.env.TROUPED, '--announce', 'json', ...args], {
    cwd: folder, env: { ...process.env, XDG_RUNTIME_DIR: folder, LISTEN_FDS: String(servers.length), ...environment },
    stdio: ['ignore', 'pipe', 'pipe', ...servers.map((server) => server._handle.fd)],
  })
  for (const server of servers) server.close() // the child has them now
  t.after(() => child.kill('SIGKILL'))
  const texts = { stdout: '', stderr: '' }
  const said = new Promise((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text) => (texts.stdout += text).includes('\n') && resolve())
  })
  child.stderr.setEncoding('utf8').on('data', (text) => (texts.stderr += text))
  const ended = new Promise((resolve) => child.on('close', resolve))
  const code = await within(Promise.race([said, ended]), 'trouped with inherited sockets')
  return { child, ended, code, ports, ready: texts.stdout === '' ? null : JSON.parse(texts.stdout), ...texts }
}

test('inherited sockets are taken by their names', async (t) => {
  const node = await inherit(t, [{}, {}], { LISTEN_FDNAMES: 'peer:api' })
  assert.equal(node.ready.api, `http://127.0.0.1:${node.ports[1]}`)
  assert.equal(node.ready.peer, `127.0.0.1:${node.ports[0]}`)
  assert.ok(await answers(node.ports[1]))
  node.child.kill('SIGTERM')
  assert.equal(await within(node.ended, 'the end'), 0)
})

test('an inherited socket without a name is the API port, and the peer port is any free one', async (t) => {
  const node = await inherit(t, [{}], {}, ['--listen-api', '127.0.0.1:1'])
  assert.equal(node.ready.api, `http://127.0.0.1:${node.ports[0]}`)
  assert.match(node.ready.peer, /^127\.0\.0\.1:\d+$/)
  assert.notEqual(node.ready.peer, `127.0.0.1:${node.ports[0]}`)
  const connection = await Connection.open(node.ports[0])
  const refused = await connection.request('POST', '/v1/node/relisten',
    { headers: [['Content-Type', 'application/json']], body: '{"purpose":"api"}' })
  connection.close()
  assert.equal(refused.status, 400, 'the port was chosen by who started the node')
})

test('inherited sockets of another process are not taken', async (t) => {
  const folder = temporaryFolder(t)
  const node = await start(t, [], { folder, env: { LISTEN_PID: '1', LISTEN_FDS: '1' } })
  assert.ok(await answers(node.port))
})

for (const [what, listens, environment, status, pattern] of [
  ['three sockets', [{}, {}, {}], {}, 3, /LISTEN_FDS.*second socket/],
  ['two sockets of one name', [{}, {}], { LISTEN_FDNAMES: 'api:api' }, 3, /LISTEN_FDS.*second socket for api/],
  ['a descriptor that is not there', [{}], { LISTEN_FDS: '2' }, 3, /LISTEN_FDS: descriptor 4 is no listening/],
  ['a count that is none', [{}], { LISTEN_FDS: 'x' }, 3, /LISTEN_FDS: 'x'/],
  ['an open address without tokens', [{ host: '0.0.0.0' }], {}, 2, /LISTEN_FDS.*--tokens.*--insecure/],
]) {
  test(`${what} as LISTEN_FDS: refused at the start`, async (t) => {
    const node = await inherit(t, listens, environment)
    assert.equal(node.ready, null)
    assert.equal(node.code, status)
    assert.match(node.stderr, pattern)
  })
}

// ---- listening elsewhere ----

test('the API port moves: told everywhere, in use at once, the old one closed, no connection lost', async (t) => {
  const cluster = await startCluster(t, 2, { args: ['--lease', '3s'] })
  const [first, node] = cluster.nodes
  const events = await openEvents(first, '/v1/events')
  const kept = await Connection.open(node.port)
  const answer = await relisten(node, { purpose: 'api' })
  assert.equal(answer.status, 202, answer.text)
  const { port, purpose, host } = answer.json
  assert.deepEqual([purpose, host], ['api', '127.0.0.1'])
  assert.notEqual(port, node.port)
  assert.equal((await kept.request('GET', '/version')).status, 200)
  const changed = await events.next((event) => event.event === 'node.changed')
  assert.equal(changed.json.node, node.ready.node)
  assert.equal(changed.json.api, `http://127.0.0.1:${port}`)
  events.close()
  assert.ok(await answers(port))
  const file = JSON.parse(readFileSync(node.portsFile, 'utf8'))
  assert.deepEqual(file, { ...node.ready, api: `http://127.0.0.1:${port}` })
  assert.equal((await kept.request('GET', '/v1/node')).json.api, `http://127.0.0.1:${port}`)
  kept.close()
  for (const url of [first.port, port]) {
    const connection = await Connection.open(url)
    const { json } = await connection.request('GET', `/v1/nodes/${node.ready.node}`)
    connection.close()
    assert.equal(json.api, `http://127.0.0.1:${port}`)
    assert.equal(json.revision, 2)
  }
  await eventually(() => refuses(node.port), 'the old port is closed')
  assert.equal(await refuses(node.port), 'ECONNREFUSED')
  await eventually(() => node.stderr.includes('listens elsewhere'), 'a line in the log')
})

test('the API port of the registry moves, and its members find it by its ports file', async (t) => {
  const runtime = runtimeFolder(t)
  const env = { XDG_RUNTIME_DIR: runtime }
  const first = await start(t, ['--lease', '2s'], { env })
  const second = await start(t, ['--lease', '2s', '--join', `file:${first.portsFile}`], { env })
  const { port } = (await relisten(first, { purpose: 'api' })).json
  await eventually(() => refuses(first.port), 'the old port is closed')
  const third = await start(t, ['--lease', '2s', '--join', `file:${first.portsFile}`], { env })
  await eventually(async () => {
    const { items } = (await second.request('GET', '/v1/nodes')).json
    return items.filter((one) => one.state === 'up').length === 3 && items.some((one) => one.api.endsWith(`:${port}`))
  }, 'the second node, which joined at the old port, hears of the third')
  assert.equal((await second.request('GET', '/v1/node')).json.trouble, null)
  assert.equal((await third.request('GET', '/v1/nodes')).json.items.length, 3)
})

test('the peer port moves, and answers there', async (t) => {
  const node = await start(t)
  const { port } = (await relisten(node, { purpose: 'peer' })).json
  await eventually(() => refuses(peerPortOf(node)), 'the old port is closed')
  assert.equal((await askPeer(port, secretAt(node), node.ready.cluster, node.ready.node)).protocol, 1)
  assert.equal(JSON.parse(readFileSync(node.portsFile, 'utf8')).peer, `127.0.0.1:${port}`)
  const own = (await node.request('GET', '/v1/nodes/self')).json
  assert.deepEqual([own.state, own.peer, own.revision], ['up', `127.0.0.1:${port}`, 2])
})

test('a port that was asked for moves to another one that is asked for, and to no other', async (t) => {
  const [was, wanted] = [await freePort(), await freePort()]
  const node = await start(t, ['--listen-api', `127.0.0.1:${was}`])
  const refused = await relisten(node, { purpose: 'api' })
  assert.equal(refused.status, 400)
  assert.equal(refused.json.field, 'port')
  assert.match(refused.json.detail, /told its port/)
  const taken = await occupy(t)
  const inUse = await relisten(node, { purpose: 'api', port: taken })
  assert.equal(inUse.status, 400)
  assert.match(inUse.json.detail, new RegExp(`port ${taken}.*in use`))
  assert.equal((await relisten(node, { purpose: 'api', port: wanted })).json.port, wanted)
  assert.ok(await answers(wanted))
})

for (const [what, body, field] of [
  ['no purpose', {}, 'purpose'],
  ['another purpose', { purpose: 'web' }, 'purpose'],
  ['a port over 65535', { purpose: 'api', port: 65536 }, 'port'],
]) {
  test(`to listen elsewhere with ${what} is refused`, async (t) => {
    const node = await start(t)
    const response = await relisten(node, body)
    assert.equal(response.status, 422)
    assert.equal(response.json.field, field)
  })
}

// ---- the peer port ----

test('the peer port answers a hello of its cluster, and proves itself', async (t) => {
  const node = await start(t)
  for (const wanted of ['', node.ready.node]) {
    const here = await askPeer(peerPortOf(node), secretAt(node), node.ready.cluster, wanted)
    assert.deepEqual([here.magic, here.protocol, here.kind, here.cluster], ['TRP1', 1, 2, node.ready.cluster])
  }
})

test('a hello without a version in common is told so', async (t) => {
  const node = await start(t)
  const asked = hello(secretAt(node), node.ready.cluster, '', { min: 7, max: 9 })
  const here = await exchange(peerPortOf(node), asked)
  assert.equal(here[4], 0)
})

test('a peer port says nothing to strangers', async (t) => {
  const node = await start(t)
  const { cluster } = node.ready
  const secret = secretAt(node)
  const good = hello(secret, cluster)
  for (const [what, bytes] of [
    ['another secret', hello('x'.repeat(64), cluster)],
    ['another cluster', hello(secret, 'c.0000000000000')],
    ['another node', hello(secret, cluster, 'n.0000000000001')],
    ['another magic', hello(secret, cluster, '', { magic: 'TRP2' })],
    ['another kind', hello(secret, cluster, '', { kind: 2 })],
    ['versions the wrong way round', hello(secret, cluster, '', { min: 2, max: 1 })],
    ['version 0', hello(secret, cluster, '', { min: 0, max: 1 })],
    ['a flipped bit', Buffer.concat([good.subarray(0, 79), Buffer.from([good[79] ^ 1])])],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.padEnd(80, ' '))],
  ]) assert.equal((await exchange(peerPortOf(node), bytes)).length, 0, what)
})

test('slow and silent strangers do not keep a node from the peer port', async (t) => {
  const node = await start(t)
  const port = peerPortOf(node)
  const silent = await Promise.all(Array.from({ length: 200 }, () => Connection.open(port)))
  silent.forEach((connection, i) => connection.send(Buffer.alloc(i % 80)))
  assert.equal((await askPeer(port, secretAt(node), node.ready.cluster)).protocol, 1)
  await Promise.all(silent.map((connection) => connection.untilClosed(10_000))) // the last ones when their 5 s are over
  const before = node.descriptors()
  assert.equal((await askPeer(port, secretAt(node), node.ready.cluster)).protocol, 1)
  await eventually(() => node.descriptors() <= before, 'all descriptors are closed')
})
