// SPDX-License-Identifier: Apache-2.0
//
// Looking inside costs nothing when nobody looks: on the way of an ordinary message there is one test of the pause byte,
// which any pause needs, and nothing of traces, suspension, alarms or figures of behaviors.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const top = new URL('../../', import.meta.url)

/** The body of a function, from its name to the brace that ends it. */
function bodyOf(file, name) {
  const source = readFileSync(new URL(file, top), 'utf8').replace(/\/\*[^]*?\*\//g, '')
  const start = source.search(new RegExp(`^[^\\n;]*\\b${name}\\([^;]*?\\)\\n\\{`, 'm'))
  assert.ok(start >= 0, `${file} has no ${name}`)
  return source.slice(start, source.indexOf('\n}\n', start))
}

const looking = /trac|suspend|alarm|inspect|kind_stats|sums/i

test('the loop over ordinary messages tests the pause byte once and knows nothing else of those who look', () => {
  const body = bodyOf('actors/src/core/turn.c', 'run_usual')
  assert.equal(body.match(/actor->pause/g)?.length, 1)
  assert.doesNotMatch(body, looking)
})

test('a send that is accepted knows nothing of them', () => {
  for (const [file, name] of [['actors/src/core/mailbox.h', 'mailbox_push'], ['actors/src/core/send.c', 'troupe__send']]) {
    assert.doesNotMatch(bodyOf(file, name), looking)
  }
})
