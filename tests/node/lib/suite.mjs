// SPDX-License-Identifier: Apache-2.0
//
// Stands where a test is asked for, for what is there for all tests of a file: it ends after the last of them, the
// latest first. Each file is a process of its own, so there is one.

import { after } from 'node:test'

const cleanups = []

export const suite = { after: (fn) => cleanups.push(fn) }

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})
