// SPDX-License-Identifier: Apache-2.0
//
// Requests of behaviors to the world outside, by a real node to a real server: where they may go, what they look like,
// and what the node does when the server fails. Each test has a server of its own, on a free port.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import path from 'node:path'
import { test } from 'node:test'

import { compile } from './lib/plugin.mjs'
import { parseMetrics } from './lib/prometheus.mjs'
import { run, start, temporaryFolder } from './lib/trouped.mjs'
import { deferred, eventually, within } from './lib/wait.mjs'

/** A getaddrinfo that never answers for hangs.example. */
const HANGING_NAMES = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
typedef int look_up_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
    while (name && strcmp(name, "hangs.example") == 0)
        pause();
    return ((look_up_fn *)dlsym(RTLD_NEXT, "getaddrinfo"))(name, service, hints, ret_list);
}
`

/** What a node is started with to have it. */
function withHangingNames(t) {
  const folder = temporaryFolder(t)
  const asan = `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`
  return { folder, env: { LD_PRELOAD: compile(folder, 'names', HANGING_NAMES), ASAN_OPTIONS: asan } }
}

/** A server that keeps what it is asked in `requests`, and answers with what `answer(request, count)` gives. */
async function serve(t, answer = () => 204, { module = http, options = {} } = {}) {
  const requests = []
  let arrived = deferred()
  const server = module.createServer(options, async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    requests.push({ method: request.method, url: request.url, headers: request.headers, body })
    const { status = 200, headers = {}, text = '' } = [await answer(request, requests.length)].map((said) =>
      typeof said === 'number' ? { status: said } : said)[0]
    response.writeHead(status, headers).end(text)
    arrived.resolve()
    arrived = deferred()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address()
  const until = async (count) => {
    while (requests.length < count) await arrived.promise
    return requests
  }
  const url = `http://127.0.0.1:${port}`
  return { port, url, requests, until: (count) => within(until(count), `${count} requests`) }
}

async function startAllowing(t, urls, options) {
  const node = await start(t, urls.flatMap((url) => ['--allow-http', url]), options)
  node.hook = async (args) => (await node.spawn('webhook', { args })).ref
  node.call = (ref, type, json) => node.request('POST', `/v1/actors/${ref}/call/${type}?timeout=30s`, { json })
  node.figure = async (name) => parseMetrics((await node.request('GET', '/metrics')).text).get(name).samples[0].value
  return node
}

test('a message is posted, signed, and its caller is told', async (t) => {
  const server = await serve(t)
  const node = await startAllowing(t, [`${server.url}/hooks/`])
  const ref = await node.hook({ url: `${server.url}/hooks/a?x=1`, secret: 'key' })
  const response = await node.call(ref, 'order.paid', { id: 7 })
  assert.equal(response.status, 200, response.text)
  assert.deepEqual(response.json, { status: 204, attempts: 1 })
  const [{ method, url, headers, body }] = server.requests
  assert.deepEqual({ method, url }, { method: 'POST', url: '/hooks/a?x=1' })
  assert.deepEqual(JSON.parse(body), { id: 7 })
  assert.equal(headers['content-type'], 'application/json')
  assert.equal(headers['troupe-type'], 'order.paid')
  assert.equal(headers['troupe-delivery'], `${ref}.1`)
  assert.equal(headers['troupe-attempt'], '1')
  assert.match(headers['user-agent'], /^troupe\//)
  const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['troupe-signature'])
  assert.ok(Math.abs(Date.now() / 1000 - Number(seconds)) < 600)
  assert.equal(mac, createHmac('sha256', 'key').update(`${seconds}.${body}`).digest('hex'))
  const { url: shown, ...counts } = (await node.request('GET', `/v1/actors/${ref}/state`)).json
  assert.equal(shown, `${server.url}/hooks/a?x=1`)
  assert.deepEqual(counts, { delivered: 1, dead: 0, retried: 0, missed: 0, under_way: null, attempts: 0 })
  assert.equal(await node.figure('troupe_http_out_answered_total'), 1)
  assert.equal(await node.figure('troupe_http_out_in_flight'), 0)
})

test('without --allow-http nothing goes out, and the refusal says what to do', async (t) => {
  const server = await serve(t)
  const node = await startAllowing(t, [])
  const ref = await node.hook({ url: server.url })
  const response = await node.call(ref, 'ping', {})
  assert.equal(response.status, 403)
  assert.equal(response.json.code, 'forbidden')
  assert.match(response.json.detail, /--allow-http/)
  assert.equal(server.requests.length, 0)
  assert.equal(await node.figure('troupe_http_out_forbidden_total'), 1)
})

test('a URL beside the ones that are allowed is refused', async (t) => {
  const server = await serve(t)
  const node = await startAllowing(t, [`${server.url}/v1`])
  for (const url of [`${server.url}/v10`, `${server.url}/v1/../x`, `http://localhost:${server.port}/v1`]) {
    const response = await node.call(await node.hook({ url, retries: 0 }), 'ping', {})
    assert.equal(response.status, 403, url)
  }
  assert.equal(server.requests.length, 0)
})

test('a redirect is not followed', async (t) => {
  const other = await serve(t)
  const server = await serve(t, () => ({ status: 302, headers: { Location: other.url } }))
  const node = await startAllowing(t, [server.url, other.url])
  const response = await node.call(await node.hook({ url: server.url }), 'ping', {})
  assert.equal(response.json.code, 'app.not_delivered')
  assert.match(response.json.detail, /302/)
  assert.deepEqual([server.requests.length, other.requests.length], [1, 0])
})

test('a server that fails is asked again, with the same delivery', async (t) => {
  const server = await serve(t, (request, count) => (count < 3 ? 503 : 200))
  const node = await startAllowing(t, [server.url])
  const response = await node.call(await node.hook({ url: server.url, backoff_min_ms: 1 }), 'ping', {})
  assert.deepEqual(response.json, { status: 200, attempts: 3 })
  const deliveries = new Set(server.requests.map(({ headers }) => headers['troupe-delivery']))
  assert.equal(deliveries.size, 1)
  assert.deepEqual(server.requests.map(({ headers }) => headers['troupe-attempt']), ['1', '2', '3'])
})

test('a server that is not there is unreachable', async (t) => {
  const server = await serve(t)
  const node = await startAllowing(t, ['http://127.0.0.1:1/', server.url])
  const ref = await node.hook({ url: 'http://127.0.0.1:1/', retries: 1, backoff_min_ms: 1 })
  const response = await node.call(ref, 'ping', {})
  assert.equal(response.status, 503, response.text)
  assert.equal(response.json.code, 'unreachable')
  assert.equal(await node.figure('troupe_http_out_failed_total'), 2)
})

test('a server that does not answer costs no more than its time', async (t) => {
  const server = await serve(t, () => new Promise(() => {}))
  const node = await startAllowing(t, [server.url])
  const response = await node.call(await node.hook({ url: server.url, retries: 0, timeout_ms: 100 }), 'ping', {})
  assert.equal(response.status, 504, response.text)
  assert.equal(response.json.code, 'timeout')
})

test('an answer that is too long is cut off', async (t) => {
  const server = await serve(t, () => ({ status: 200, text: 'x'.repeat((1 << 20) + 1) }))
  const node = await startAllowing(t, [server.url])
  const response = await node.call(await node.hook({ url: server.url, retries: 5 }), 'ping', {})
  assert.equal(response.json.code, 'too_large')
  assert.equal(server.requests.length, 1)
})

test('the events of an actor are posted', async (t) => {
  const server = await serve(t)
  const node = await startAllowing(t, [server.url])
  await node.spawn('topic', { name: 'news' })
  await node.hook({ url: server.url, follow: '@news', types: ['order.*'] })
  for (const type of ['order.new', 'other', 'order.paid'])
    await node.request('POST', `/v1/actors/@news/cast/${type}`, { json: { type } })
  const posted = await server.until(2)
  assert.deepEqual(posted.map(({ headers }) => headers['troupe-type']), ['order.new', 'order.paid'])
  assert.deepEqual(posted.map(({ body }) => JSON.parse(body).type), ['order.new', 'order.paid'])
})

test('https: a certificate that nobody vouches for is refused, one of $SSL_CERT_FILE is taken', async (t) => {
  const folder = temporaryFolder(t)
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name))
  const self = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', [...self, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const options = { key: readFileSync(key), cert: readFileSync(cert) }
  const server = await serve(t, () => 200, { module: https, options })
  const url = `https://127.0.0.1:${server.port}/`

  const careful = await startAllowing(t, [url])
  const refused = await careful.call(await careful.hook({ url, retries: 0 }), 'ping', {})
  assert.equal(refused.status, 503, refused.text)
  assert.equal(refused.json.code, 'unreachable')
  assert.match(refused.json.detail, /certificate/)
  assert.equal(server.requests.length, 0)

  const knowing = await startAllowing(t, [url], { env: { SSL_CERT_FILE: cert } })
  const taken = await knowing.call(await knowing.hook({ url, retries: 0 }), 'ping', {})
  assert.deepEqual(taken.json, { status: 200, attempts: 1 })
})

test('a node stops while a request is under way', async (t) => {
  const server = await serve(t, () => new Promise(() => {}))
  const node = await startAllowing(t, [server.url])
  const ref = await node.hook({ url: server.url })
  await node.request('POST', `/v1/actors/${ref}/cast/ping`, { json: {} })
  await eventually(async () => (await node.figure('troupe_http_out_in_flight')) === 1, 'the request')
  node.signalTo('SIGINT')
  assert.equal((await node.untilExit()).code, 0)
})

test('a host name whose look-up hangs holds up neither the node nor its end', async (t) => {
  const { env, folder } = withHangingNames(t)
  const node = await startAllowing(t, ['http://hangs.example'], { env, folder })
  const url = 'http://hangs.example/'
  const response = await node.call(await node.hook({ url, retries: 0, timeout_ms: 200 }), 'ping', {})
  assert.equal(response.json.code, 'timeout', response.text)
  const connection = await node.connect() // accepted by the thread that looked up the name
  assert.equal((await connection.request('GET', '/livez')).status, 200)
  connection.close()
  const ref = await node.hook({ url })
  await node.request('POST', `/v1/actors/${ref}/cast/ping`, { json: {} })
  await eventually(async () => (await node.figure('troupe_http_out_in_flight')) === 1, 'the request')
  await node.stop()
})

test('look-ups that hang are no more than so many, and the refusal says why', async (t) => {
  const server = await serve(t)
  const { env, folder } = withHangingNames(t)
  const node = await startAllowing(t, ['http://hangs.example', server.url], { env, folder })
  const hooks = []
  const args = { url: 'http://hangs.example/', retries: 0, timeout_ms: 300 }
  for (let i = 0; i < 64; i++) hooks.push(await node.hook(args))
  const answers = await Promise.all(hooks.map((ref) => node.call(ref, 'ping', {})))
  for (const { json } of answers) assert.equal(json.code, 'timeout')
  await eventually(async () => (await node.figure('troupe_http_out_in_flight')) === 0, 'the end of the requests')
  const { json } = await node.call(hooks[0], 'ping', {})
  assert.equal(json.code, 'unreachable')
  assert.match(json.detail, /name servers/)
  const other = await node.call(await node.hook({ url: server.url }), 'ping', {}) // an address needs no name server
  assert.equal(other.status, 200)
})

test('64 requests are under way at a time, the others wait', async (t) => {
  const gate = deferred()
  const server = await serve(t, () => gate.promise.then(() => 204))
  const node = await startAllowing(t, [server.url])
  const hooks = []
  for (let i = 0; i < 70; i++) hooks.push(await node.hook({ url: server.url }))
  const calls = hooks.map((ref) => node.call(ref, 'ping', {}))
  await eventually(async () => (await node.figure('troupe_http_out_waiting')) === 6, 'six that wait')
  assert.equal(await node.figure('troupe_http_out_in_flight'), 64)
  gate.resolve()
  for (const response of await Promise.all(calls)) assert.equal(response.status, 200)
})

test('what is no URL for --allow-http is refused at the start', async (t) => {
  for (const url of ['example.com', 'http://a.example/?x=1', 'ftp://a.example/']) {
    const { code, stderr } = await run(t, ['--allow-http', url]).untilExit()
    assert.equal(code, 2)
    assert.match(stderr, /--allow-http/)
  }
})
