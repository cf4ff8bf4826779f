// SPDX-License-Identifier: Apache-2.0
//
// What only a node of the cluster can do, done by a test: the proofs of docs/registry.md and the hello of a peer port,
// written from the documents and not from the server's code.

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'

import { Connection } from './socket.mjs'
import { within } from './wait.mjs'

/** The secret that the first node of a cluster left in the runtime folder. */
export function secretOf(runtime, cluster) {
  return readFileSync(path.join(runtime, 'troupe', `${cluster}.secret`), 'utf8').trimEnd()
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex')

/** The header Authorization of a request to a registry that told `about` (GET /v1/registry). */
export function sign(secret, about, method, target, body = '', changes = {}) {
  const { node, cluster, epoch, time, nonce } = {
    cluster: about.cluster, epoch: about.epoch, node: about.node, time: about.time_ms,
    nonce: randomBytes(16).toString('hex'), ...changes,
  }
  const text = ['troupe-request', cluster, epoch, method, target, node, time, nonce, sha256(body)].join('\n')
  const mac = createHmac('sha256', secret).update(text).digest('hex')
  return `Troupe-HMAC node="${node}", time="${time}", nonce="${nonce}", mac="${mac}"`
}

/** A request on a connection of its own: those of the registry are served apart from all others. */
export async function askRegistry(node, method, target, { authorization, body, headers = [] } = {}) {
  const connection = await Connection.open(node.port)
  const all = [...headers]
  if (authorization) all.push(['Authorization', authorization])
  if (body !== undefined) all.push(['Content-Type', 'application/json'])
  const response = await connection.request(method, target, { headers: all, body })
  connection.close()
  return response
}

const HELLO_BYTES = 80
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** The 64 bits of a node's id. */
function bitsOf(id) {
  return [...id.slice(2)].reduce((bits, digit) => bits * 32n + BigInt(alphabet.indexOf(digit)), 0n)
}

/** A hello; `node` is an id, or '' for any. */
export function hello(secret, cluster, node = '', { magic = 'TRP1', min = 1, max = 1, kind = 1, mac } = {}) {
  const frame = Buffer.alloc(HELLO_BYTES)
  frame.write(magic, 0, 'latin1')
  frame[4] = min
  frame[5] = max
  frame.writeUInt16BE(kind, 6)
  randomBytes(16).copy(frame, 8)
  frame.writeBigUInt64BE(node === '' ? 0n : bitsOf(node), 24)
  frame.write(cluster, 32, 'latin1')
  const right = createHmac('sha256', secret).update('troupe-hello').update(frame.subarray(0, 48)).digest()
  ;(mac ?? right).copy(frame, 48)
  return frame
}

/** Is this the answer of `node` to that hello? Gives what it says, or throws. */
function judgeHere(secret, asked, here) {
  if (here.length !== HELLO_BYTES) throw new Error(`the answer has ${here.length} bytes`)
  const mac = createHmac('sha256', secret).update('troupe-here').update(asked.subarray(0, 48))
    .update(here.subarray(0, 48)).digest()
  if (!mac.equals(here.subarray(48))) throw new Error('the answer does not prove the secret')
  return {
    magic: here.toString('latin1', 0, 4), protocol: here[4], kind: here.readUInt16BE(6),
    node: here.readBigUInt64BE(24), cluster: here.toString('latin1', 32, 48).replace(/\0+$/, ''),
  }
}

/** Send bytes to a port and gather what comes until the other side closes. */
export async function exchange(port, bytes, { host = '127.0.0.1', deadlineMs } = {}) {
  const socket = net.connect({ port, host, noDelay: true, allowHalfOpen: true })
  const received = []
  const over = new Promise((resolve) => {
    socket.on('data', (data) => received.push(data))
    socket.on('end', resolve)
    socket.on('close', resolve)
    socket.on('error', resolve)
  })
  if (bytes.length > 0) socket.write(bytes)
  await within(over, `the end of the connection to port ${port}`, deadlineMs).finally(() => socket.destroy())
  return Buffer.concat(received)
}

/** Ask a peer port who is there. */
export async function askPeer(port, secret, cluster, node = '', options = {}) {
  const asked = hello(secret, cluster, node)
  return judgeHere(secret, asked, await exchange(port, asked, options))
}

export const peerPortOf = (node) => Number(/:(\d+)$/.exec(node.ready.peer)[1])
