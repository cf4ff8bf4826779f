// SPDX-License-Identifier: Apache-2.0
//
// The models of the mailbox and of how workers sleep, checked by Spin: all their states, or a failure. Then the same
// with a mistake in each: a model that finds nothing there proves nothing here. README.md says what the models leave out.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const run = promisify(execFile)

/** Check one model; gives the number of errors, the claim that failed, how many states there were. */
async function check(t, model, defines) {
  const folder = await mkdtemp(path.join(tmpdir(), 'model-'))
  t.after(() => rm(folder, { recursive: true }))
  const at = { cwd: folder, maxBuffer: 1 << 24 }
  await run('spin', ['-a', ...defines.map((word) => `-D${word}`), path.join(here, model)], at)
  await run('cc', ['-O1', '-w', '-DSAFETY', '-DMEMLIM=1024', '-o', 'pan', 'pan.c'], at)
  const { stdout } = await run('./pan', ['-m100000'], { ...at, timeout: 60_000 })
  const number = (pattern) => Number(pattern.exec(stdout)?.[1] ?? NaN)
  assert.doesNotMatch(stdout, /search not completed.*MEMLIM|max search depth too small/)
  return {
    errors: number(/errors: (\d+)/),
    states: number(/(\d+) states, stored/),
    claim: /pan:1: (.*)/.exec(stdout)?.[1] ?? '',
  }
}

// The model, its parts, and how many states there are at least: fewer would be a model that does nothing.
const whole = [
  ['mailbox.pml', ['SENDS=2'], 500_000],
  ['mailbox.pml', ['SENDS=1', 'SYSTEM'], 50_000],
  ['mailbox.pml', ['SENDS=1', 'SYSTEM', 'STOP'], 500_000],
  ['mailbox.pml', ['SENDS=1', 'CALL', 'STOP'], 500_000],
  ['mailbox.pml', ['SENDS=3', 'SENDS_2=0', 'CALL'], 50_000],
  ['mailbox.pml', ['SENDS=2', 'SENDS_2=0', 'CALL', 'SYSTEM'], 50_000],
  ['park.pml', ['POSTS=2', 'SPAWNS=1'], 1_000_000],
  ['park.pml', ['BLOCKING', 'POSTS=0', 'SPAWNS=2'], 100_000],
  ['park.pml', ['BLOCKING', 'POSTS=1', 'SPAWNS=1'], 300_000],
]

// The mistake, and the smallest model that shows it.
const broken = [
  ['mailbox.pml', 'ONLY_THE_FIRST_MESSAGE_CLAIMS', ['SENDS=2', 'SENDS_2=0', 'CALL']],
  ['mailbox.pml', 'IDLE_WITHOUT_SWAP', ['SENDS=1']],
  ['mailbox.pml', 'CLAIM_WITHOUT_SWAP', ['SENDS=1', 'SYSTEM']],
  ['mailbox.pml', 'CLAIM_BEFORE_THE_SIGNAL', ['SENDS=1', 'SYSTEM']],
  ['mailbox.pml', 'NO_LOOK_AT_SIGNALS_AFTER_IDLE', ['SENDS=1', 'SYSTEM']],
  ['mailbox.pml', 'NOT_REVERSED', ['SENDS=2', 'SENDS_2=0']],
  ['mailbox.pml', 'SHUT_WITHOUT_SWAP', ['SENDS=1', 'STOP']],
  ['park.pml', 'LOOK_BEFORE_THE_BIT', ['POSTS=1', 'SPAWNS=1']],
  ['park.pml', 'WAKE_BEFORE_THE_POST', ['POSTS=1', 'SPAWNS=1']],
  ['park.pml', 'NO_LOOK_AT_THE_INBOX', ['POSTS=1', 'SPAWNS=1']],
  ['park.pml', 'FLAG_CLEARED_BEFORE_SLEEP', ['POSTS=1', 'SPAWNS=1']],
  ['park.pml', 'THE_BLOCKING_ONE_WAKES_NOBODY', ['BLOCKING', 'POSTS=0', 'SPAWNS=2']],
  ['park.pml', 'ARMED_FORGOTTEN_BEHIND_THE_WHEEL', ['BLOCKING', 'POSTS=0', 'SPAWNS=2']],
  ['park.pml', 'BIT_CLEARED_AND_NOBODY_WOKEN', ['POSTS=1', 'SPAWNS=1']],
]

describe('models', { concurrency: 2 }, () => {
  for (const [model, defines, least] of whole) {
    test(`${[model, ...defines].join(' ')} holds in all its states`, async (t) => {
      const { errors, states, claim } = await check(t, model, defines)
      assert.equal(errors, 0, claim)
      assert.ok(states >= least, `only ${states} states`)
    })
  }
  for (const [model, mistake, defines] of broken) {
    test(`${model} finds the mistake ${mistake.toLowerCase().replaceAll('_', ' ')}`, async (t) => {
      const { errors, claim } = await check(t, model, [...defines, `BUG_${mistake}`])
      assert.ok(errors > 0, 'it was not found')
      assert.match(claim, /assertion violated|invalid end state/)
    })
  }
})
