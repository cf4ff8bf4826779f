// SPDX-License-Identifier: Apache-2.0
//
// Waiting in tests: for an event, or for a condition, and never longer than a deadline. Nothing here sleeps and hopes.

export const DEADLINE_MS = 20_000 // generous: sanitized builds on busy machines have to meet it too

/** The promise, or an error that names what did not come in time; `what` may be a function that tells it. */
export function within(promise, what, deadlineMs = DEADLINE_MS) {
  let timer
  const late = new Promise((_, reject) => {
    const tell = () => (typeof what === 'function' ? what() : what)
    timer = setTimeout(() => reject(new Error(`${tell()}: not within ${deadlineMs} ms`)), deadlineMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Ask again and again until check() gives something true; for facts that no event tells, such as a count in /proc. */
export async function eventually(check, what, deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs
  for (;;) {
    const result = await check()
    if (result) return result
    if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A promise with its two functions beside it. */
export function deferred() {
  const box = {}
  box.promise = new Promise((resolve, reject) => Object.assign(box, { resolve, reject }))
  return box
}
