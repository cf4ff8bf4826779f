// SPDX-License-Identifier: Apache-2.0
//
// What every refusal of a node owes the person who reads it.

import assert from 'node:assert/strict'

/** The response is problem+json with this status and code; it names the field, and its detail fits `detail`. */
export function assertProblem(response, { status, code, field, detail, retry, outcome }) {
  assert.equal(response.status, status, `${response.status} ${response.text}`)
  assert.equal(response.headers.get('content-type'), 'application/problem+json')
  const problem = response.json
  assert.equal(problem.status, status)
  assert.equal(problem.code, code, response.text)
  assert.equal(problem.type, `urn:troupe:error:${code}`)
  assert.ok(problem.title.length > 0)
  assert.ok(['yes', 'if_idempotent', 'no'].includes(problem.retry))
  assert.ok(['not_done', 'unknown'].includes(problem.outcome))
  assert.equal(problem.field, field, response.text)
  assert.notEqual(problem.detail, problem.title, `the detail says no more than the title: ${response.text}`)
  if (detail) assert.match(problem.detail, detail)
  if (retry) assert.equal(problem.retry, retry)
  if (outcome) assert.equal(problem.outcome, outcome)
  if (status === 429 || status === 503) {
    assert.match(response.headers.get('retry-after') ?? '', /^\d+$/)
    assert.ok(problem.retry_after_ms > 0)
  }
  return problem
}
