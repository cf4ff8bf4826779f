// SPDX-License-Identifier: Apache-2.0
//
// A short soak as a test, and the rule that it judges by; and what else needs real time: the end of a silent client.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { start } from '../node/lib/trouped.mjs'
import { openWebSocket } from '../node/lib/websocket.mjs'
import { randomFrom } from './churn.mjs'
import { slope } from './slope.mjs'
import { report, soak } from './soak.mjs'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 20)

const line = (valueAt) => Array.from({ length: 40 }, (_, i) => [i, valueAt(i)])

test('the rule sees a leak, and takes noise for noise', () => {
  const { below } = randomFrom(1)
  const noise = () => below(1000) - 500
  assert.ok(slope(line(() => 1e5 + noise()), 0).isFlat)
  assert.ok(slope(line(() => 1e5), 0).isFlat)
  assert.ok(slope(line((i) => 1e5 - 100 * i), 0).isFlat, 'less is no leak')
  assert.ok(!slope(line((i) => 1e5 + noise() + 100 * i), 0).isFlat)
  assert.ok(!slope(line((i) => 1e5 + (i < 10 ? 0 : 3000)), 0).isFlat, 'a step')
  assert.ok(!slope(line((i) => 20 + Math.floor(i / 10)), 0.5).isFlat, 'a descriptor now and then')
  assert.throws(() => slope([[0, 1]], 0))
})

describe('what takes its time', { concurrency: true }, () => {
  test(`${SECONDS} s of churn leave memory and descriptors flat`, async (t) => {
    const result = await soak(t, SECONDS)
    for (const text of report(result)) t.diagnostic(text)
    assert.ok(result.memory.isFlat && result.descriptors.isFlat, report(result).join('\n'))
  })

  test('a client that is gone without a word is pinged, then closed; one that answers stays', async (t) => {
    const node = await start(t)
    const [mute, quiet] = [await openWebSocket(node), await openWebSocket(node)]
    mute.answersPings = false // a machine that was switched off looks like this
    const { ping_ms: ping } = await quiet.ask('hello')
    const started = performance.now()
    assert.equal((await mute.untilClosed(3 * ping)).code, 1008)
    const took = performance.now() - started
    assert.ok(took > 1.5 * ping && mute.pings === 1, `closed after ${took} ms and ${mute.pings} pings`)
    assert.ok(quiet.pings >= 1)
    assert.equal((await quiet.ask('ping')).op, 'pong')
    await quiet.close()
  })
})
