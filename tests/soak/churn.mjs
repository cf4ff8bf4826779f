// SPDX-License-Identifier: Apache-2.0
//
// Clients that come and go: by WebSocket, event stream and REST; they spawn, call, subscribe, monitor, stop, and leave
// well, abruptly, with a reset, or in the middle of a frame. Everything random follows from a seed.
//
// One round is many such clients; after it nothing of them may be left in the node.

import assert from 'node:assert/strict'

import { openEvents } from '../node/lib/events.mjs'
import { Connection } from '../node/lib/socket.mjs'
import { frameBytes, openWebSocket } from '../node/lib/websocket.mjs'

/** mulberry32: small, fast, good enough to choose. */
export function randomFrom(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return { below: (n) => Math.floor(next() * n), of: (list) => list[Math.floor(next() * list.length)] }
}

export class Churn {
  counts = { sessions: 0, streams: 0, requests: 0, actors: 0, operations: 0 }

  constructor(node, seed) {
    this.node = node
    this.random = randomFrom(seed)
  }

  /** The actors that outlive a round: what the clients talk to and listen to. */
  async prepare() {
    this.counter = (await this.node.spawn('counter', { name: 'churn' })).ref
    this.topic = (await this.node.spawn('topic')).ref
    this.kept = 2
  }

  /** So many clients, `atOnce` at a time, each of a random kind. */
  async round(clients, atOnce) {
    let left = clients
    const one = async () => {
      while (left > 0) {
        left -= 1
        const kind = this.random.below(10)
        if (kind < 6) await this.#session()
        else if (kind < 8) await this.#stream()
        else await this.#rest()
      }
    }
    await Promise.all(Array.from({ length: atOnce }, one))
    await this.#stopAll()
  }

  async #session() {
    const client = await openWebSocket(this.node)
    this.counts.sessions += 1
    if (this.random.below(2) === 0) await client.ask('hello', { client: 'churn' })
    const mine = []
    for (let i = this.random.below(8); i >= 0; i--) await this.#operate(client, mine)
    for (const ref of mine) if (this.random.below(2) === 0) await client.ask('stop', { to: ref })
    await this.#leave(client)
  }

  async #operate(client, mine) {
    this.counts.operations += 1
    const { counter, topic, random } = this
    switch (random.below(9)) {
      case 0:
        mine.push((await client.spawn(random.of(['echo', 'counter', 'faulty', 'kv', 'topic']))).ref)
        this.counts.actors += 1
        return
      case 1:
        return client.call(counter, 'add', { by: 1 })
      case 2:
        return void client.send({ op: 'cast', to: counter, type: 'add', body: { by: 1 } })
      case 3:
        return client.ask('monitor', { to: mine[0] ?? counter })
      case 4:
        return client.ask('subscribe', { to: topic, from: random.of(['now', 'oldest']) })
      case 5:
        return client.ask('publish', { to: topic, type: 'news', body: 'x'.repeat(random.below(2000)) })
      case 6:
        return client.request('call', { to: '@nobody', type: 'add', body: {} })
      case 7: // a call that is open when the client leaves
        mine.push((await client.spawn('faulty')).ref)
        return void client.send({ op: 'call', id: 'open', to: mine.at(-1), type: 'never', timeout_ms: 60_000 })
      default:
        return client.sendText(random.of(['{', '{"op":"fly"}']))
    }
  }

  async #leave(client) {
    switch (this.random.below(5)) {
      case 0:
        return client.abort()
      case 1:
        return client.abort({ reset: true })
      case 2:
        client.write(frameBytes({ payload: 'cut in the middle' }).subarray(0, 9))
        await client.flushed()
        return client.abort()
      case 3:
        client.send({ op: 'bye' })
        await client.untilClosed()
        return client.abort()
      default:
        return client.close()
    }
  }

  async #stream() {
    const target = this.random.of([`/v1/actors/${this.topic}/events?from=oldest`, '/v1/events?from=oldest'])
    const stream = await openEvents(this.node, target)
    this.counts.streams += 1
    if (this.random.below(2) === 0 && target === '/v1/events?from=oldest') await stream.next()
    stream.close({ reset: this.random.below(2) === 0 })
  }

  async #rest() {
    const connection = await Connection.open(this.node.port)
    const ask = async (method, target, body, status) => {
      const response = await connection.request(method, target, { body })
      assert.equal(response.status, status, response.text)
      this.counts.requests += 1
      return response
    }
    const { json } = await ask('POST', '/v1/actors', '{"behavior":"counter"}', 201)
    this.counts.actors += 1
    const add = `/v1/actors/${json.ref}/call/add`
    for (let i = this.random.below(10); i >= 0; i--) await ask('POST', add, '{"by":1}', 200)
    if (this.random.below(2) === 0) await ask('DELETE', `/v1/actors/${json.ref}`, undefined, 204)
    connection.close({ reset: this.random.below(2) === 0 })
  }

  /** Actors outlive who spawned them: stop all but those of prepare(). */
  async #stopAll() {
    for (;;) {
      const { items } = (await this.node.request('GET', '/v1/actors?limit=1000')).json
      const extra = items.filter(({ ref }) => ref !== this.counter && ref !== this.topic)
      if (extra.length === 0 && items.length === this.kept) return
      for (const { ref } of extra) {
        const { status } = await this.node.request('DELETE', `/v1/actors/${ref}?mode=kill`)
        assert.ok([204, 410].includes(status), `${status}`)
      }
    }
  }
}
