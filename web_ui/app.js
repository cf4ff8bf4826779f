// SPDX-License-Identifier: Apache-2.0
//
// The landing page: one node, its cluster, its actors, and a counter to try. The parts share the REST client and know
// nothing else of each other; what a new token or its loss means for them is said here.
// @ts-check

import { askForToken, startAccess } from './access.js'
import { hooks } from './client.js'
import { showCounter, startCounter } from './counter.js'
import { followNodes, startNodes } from './nodes.js'
import { pollSoon, startWatcher } from './watcher.js'

hooks.unauthorized = (problem) => {
  askForToken(problem)
  showCounter()
}
startAccess(() => {
  pollSoon()
  followNodes()
  showCounter()
})
startCounter()
startWatcher()
startNodes()
