// SPDX-License-Identifier: Apache-2.0
//
// Runs the conformance table (cases.json) against a host. The table is written once; every host that can run the
// standard behaviors must pass it: the wasm module (tests/wasm), a node through REST (tests/node).
//
// A case is a list of steps. In every string, "${x}" stands for what an earlier step saved as x.
//
//   {"spawn": behavior, "name", "args", "restart", "as": x}          saves the new actor's reference
//   {"call": to, "type", "body" or "text", "content_type", "timeout_ms", "save": {member: x}}
//   {"cast": to, "type", "body" or "text", "content_type", "may_refuse": true}
//   {"stop": to, "mode": "stop" | "drain" | "kill"}                  waits for the end
//
// What is expected: "reply" (equal), "reply_has" (these members are there), "reply_min" (these are at least as large),
// "reply_matches" (these match a regular expression), "reply_text" and "reply_content_type" (exactly), "error" ({"code", "status", "detail"}, each when it is given).
// Without "error" a step must succeed. "eventually": true repeats the step until it holds, for at most WITHIN_MS of the
// host's time.
//
// A host has: spawn, call, cast, stop, each async and giving {error: {code, status, detail}} or the result; pass(ms),
// which lets time go by; now(); close().
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

export const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'))

const WITHIN_MS = 10_000
const PASS_MS = 5

function fill(value, saved) {
  if (typeof value === 'string') {
    return value.replace(/\$\{(\w+)\}/g, (_, name) => {
      assert.ok(name in saved, `the table uses \${${name}} before it is saved`)
      return saved[name]
    })
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, saved))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, saved)]))
}

function perform(host, step) {
  const message = {
    type: step.type,
    body: step.text ?? (step.body === undefined ? '' : JSON.stringify(step.body)),
    contentType: step.content_type ?? 'application/json',
    timeoutMs: step.timeout_ms,
  }
  if ('spawn' in step) {
    return host.spawn({ behavior: step.spawn, name: step.name, args: step.args, restart: step.restart })
  }
  if ('call' in step) return host.call(step.call, message)
  if ('cast' in step) return host.cast(step.cast, message)
  if ('stop' in step) return host.stop(step.stop, step.mode ?? 'stop')
  throw new Error(`the table has a step that is none: ${JSON.stringify(step)}`)
}

function check(step, result) {
  if (step.error) {
    assert.ok(result.error, `expected the error ${step.error.code}, got ${JSON.stringify(result)}`)
    for (const member of ['code', 'status', 'detail']) {
      if (member in step.error) {
        assert.equal(result.error[member], step.error[member], `${member} of ${JSON.stringify(result.error)}`)
      }
    }
    return
  }
  if (result.error && step.may_refuse) return
  assert.equal(result.error, undefined)
  if ('reply' in step) assert.deepEqual(JSON.parse(result.body), step.reply)
  for (const [member, value] of Object.entries(step.reply_has ?? {})) {
    assert.deepEqual(JSON.parse(result.body)[member], value, `${member} of ${result.body}`)
  }
  for (const [member, value] of Object.entries(step.reply_min ?? {})) {
    assert.ok(JSON.parse(result.body)[member] >= value, `${member} of ${result.body} is under ${value}`)
  }
  for (const [member, pattern] of Object.entries(step.reply_matches ?? {})) {
    assert.match(JSON.parse(result.body)[member], new RegExp(pattern), `${member} of ${result.body}`)
  }
  if ('reply_text' in step) assert.equal(result.body, step.reply_text)
  if ('reply_content_type' in step) assert.equal(result.contentType, step.reply_content_type)
}

async function runStep(host, step, saved) {
  const deadline = host.now() + WITHIN_MS
  for (;;) {
    const result = await perform(host, step)
    try {
      check(step, result)
    } catch (error) {
      if (!step.eventually || host.now() >= deadline) throw error
      await host.pass(PASS_MS)
      continue
    }
    if (step.as) saved[step.as] = result.ref
    for (const [member, name] of Object.entries(step.save ?? {})) saved[name] = JSON.parse(result.body)[member]
    return
  }
}

/** Run one case. A failure names the step. What the case leaves alive is the host's to end. */
export async function runCase(host, { steps }) {
  const saved = {}
  for (const [index, step] of steps.entries()) {
    try {
      await runStep(host, fill(step, saved), saved)
    } catch (error) {
      error.message = `step ${index + 1} ${JSON.stringify(step)}: ${error.message}`
      throw error
    }
  }
}
