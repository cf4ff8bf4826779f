// SPDX-License-Identifier: Apache-2.0
//
// Churn (churn.mjs) for some minutes, and whether memory and descriptors of the node stay flat (slope.mjs says what
// that is). A sample is taken between two rounds, when no client is there and the node has let go of all of them.
//
//   node tests/soak/soak.mjs [MINUTES]      ./x soak runs it
//   SOAK_SEED                               as printed, to do a run again

import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

import { start } from '../node/lib/trouped.mjs'
import { eventually } from '../node/lib/wait.mjs'
import { Churn } from './churn.mjs'
import { slope } from './slope.mjs'

const WARM_UP = 0.25             // of the time: pools, arenas and rings fill
const CLIENTS_PER_ROUND = 100
const CLIENTS_AT_ONCE = 10
const MEMORY_FLOOR = 1 << 20     // bytes
const DESCRIPTORS_FLOOR = 0.5

/** Anonymous memory of a process, in bytes: what it has taken, without the pages of its files. */
function anonymous(pid) {
  const [, kib] = /^Anonymous:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  return Number(kib) * 1024
}

/** Run for so many seconds. `memory` and `descriptors` are what slope() gives, `curve` the samples of memory. */
export async function soak(t, seconds, seed = Number(process.env.SOAK_SEED ?? Date.now() % 2 ** 32)) {
  const node = await start(t)
  const churn = new Churn(node, seed)
  await churn.prepare()
  await churn.round(CLIENTS_PER_ROUND, CLIENTS_AT_ONCE)
  const before = node.descriptors()
  const [memory, descriptors] = [[], []]
  const started = performance.now()
  const now = () => (performance.now() - started) / 1000
  while (now() < seconds) {
    await churn.round(CLIENTS_PER_ROUND, CLIENTS_AT_ONCE)
    await eventually(() => node.descriptors() <= before, 'what the clients had is closed')
    if (now() < WARM_UP * seconds) continue
    memory.push([now(), anonymous(node.pid)])
    descriptors.push([now(), node.descriptors()])
  }
  const took = now()
  await node.stop()
  return {
    memory: slope(memory, MEMORY_FLOOR),
    descriptors: slope(descriptors, DESCRIPTORS_FLOOR),
    curve: memory,
    samples: memory.length,
    counts: churn.counts,
    seconds: took,
    seed,
  }
}

/** What a person reads, in lines. */
export function report({ memory, descriptors, curve, samples, counts, seconds, seed }) {
  const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`
  const clients = counts.sessions + counts.streams
  const verdict = ({ isFlat }) => (isFlat ? 'flat' : 'GROWS')
  const perClient = (memory.slope * seconds) / clients
  const points = Array.from({ length: 9 }, (_, i) => curve[Math.round((i * (samples - 1)) / 8)])
  return [
    `seed ${seed}: ${seconds.toFixed(0)} s, ${counts.sessions} sessions, ${counts.streams} streams, ` +
      `${counts.requests} requests, ${counts.actors} actors; ${samples} samples`,
    `memory       ${verdict(memory)}: mean ${kib(memory.mean)}, grows by ${kib(memory.growth)}, ` +
      `noise ${kib(memory.noise)} (${perClient.toFixed(1)} bytes a client)`,
    `  over time, KiB: ${points.map(([, bytes]) => (bytes / 1024).toFixed(0)).join(' ')}`,
    `descriptors  ${verdict(descriptors)}: mean ${descriptors.mean.toFixed(1)}, grows by ` +
      `${descriptors.growth.toFixed(2)}, noise ${descriptors.noise.toFixed(2)}`,
  ]
}

async function main() {
  const minutes = Number(process.argv[2] ?? 10)
  if (!(minutes > 0)) throw new Error('usage: soak.mjs [MINUTES]')
  const cleanups = []
  try {
    const result = await soak({ after: (fn) => cleanups.push(fn) }, minutes * 60)
    console.log(report(result).join('\n'))
    if (!result.memory.isFlat || !result.descriptors.isFlat) process.exitCode = 1
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main()
