// SPDX-License-Identifier: Apache-2.0
//
// Several nodes that are one cluster: the first is its own registry, the others are told to join it. They share a
// runtime folder, in which the first leaves the secret, and a folder each for all else. They end with the test.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import path from 'node:path'

import { start, temporaryFolder } from './trouped.mjs'
import { eventually } from './wait.mjs'

/** A runtime folder as a login gives one; nodes with the same one find each other's secret. */
export function runtimeFolder(t) {
  const folder = temporaryFolder(t)
  mkdirSync(path.join(folder, 'troupe'), { mode: 0o700 }) // else the programs turn to /tmp
  return folder
}

/** Start a cluster of n nodes. `args` are for all of them, `argsOf(i)` for one more; the first is 0. A node that joins
 *  says that it is ready when it is up, so all are up when this is done. */
export async function startCluster(t, n, { args = [], argsOf = () => [], env = {} } = {}) {
  const cluster = new Cluster(t, { args, argsOf, env })
  await cluster.startFirst()
  await cluster.grow(n - 1)
  return cluster
}

class Cluster {
  nodes = []
  #count = 0

  constructor(t, options) {
    this.t = t
    this.options = options
    this.env = { XDG_RUNTIME_DIR: runtimeFolder(t), ...options.env }
    t.after(() => this.end())
  }

  get first() {
    return this.nodes[0]
  }

  async startFirst() {
    this.nodes.push(await this.#start([]))
  }

  /** One more node; `joins` is what --join is told. Gives the node. */
  async join(args = [], joins = this.first.api) {
    const node = await this.#start(['--join', joins, ...args])
    this.nodes.push(node)
    return node
  }

  /** So many more, all started at once. */
  async grow(count) {
    return Promise.all(Array.from({ length: count }, () => this.join()))
  }

  /** End all, those first that have to tell the registry. */
  async end() {
    const [first, ...others] = this.nodes.splice(0)
    const ends = await Promise.allSettled(others.map((node) => node.end()))
    await first?.end() // also when another one has not ended well: nothing is left behind
    const bad = ends.find((end) => end.status === 'rejected')
    if (bad) throw bad.reason
  }

  /** Kill these nodes: no word to anybody. */
  async kill(...nodes) {
    for (const node of nodes) node.signalTo('SIGKILL')
    await Promise.all(nodes.map((node) => node.untilExit()))
    this.nodes = this.nodes.filter((node) => !nodes.includes(node))
  }

  /** Wait until every node lists exactly the members that are here, in this state. */
  async untilAllAgree(state = 'up') {
    const wanted = this.nodes.map((node) => node.ready.node).sort()
    for (const node of this.nodes) {
      const isSo = async () => {
        const there = (await members(node)).filter((one) => one.state === state).map((one) => one.node)
        return there.length === wanted.length && there.sort().every((id, i) => id === wanted[i])
      }
      await eventually(isSo, `${node.ready.node} lists ${wanted.length} nodes that are ${state}`)
    }
  }

  #start(more) {
    const args = [...this.options.args, ...this.options.argsOf(this.#count++), ...more]
    return start(this.t, args, { env: this.env })
  }
}

/** What a node says of the members of its cluster. */
export async function members(node) {
  const response = await node.request('GET', '/v1/nodes')
  assert.equal(response.status, 200, response.text)
  return response.json.items
}
