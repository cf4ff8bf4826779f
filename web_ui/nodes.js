// SPDX-License-Identifier: Apache-2.0
//
// The nodes of the cluster, live: the list is asked for once, and again with each event of GET /v1/events, which is
// followed while the page is seen. When the stream breaks, the list is marked as old and the next stream begins behind
// the last event; waits grow from 1 to 30 s. A hidden page has no stream, because a browser opens six connections to
// one address at most, all tabs together.
// @ts-check

import { isLocked } from './access.js'
import { ask, openStream, Refusal } from './client.js'
import { $, fillRows, setText } from './page.js'

/** @typedef {{ node: string, state: string, api: string, version: string, started_at: string,
 *              labels: Record<string, string> }} Node */

const RETRY_MS_MIN = 1000
const RETRY_MS_MAX = 30000
const HAPPENED_MAX = 6

/** What each event says of its node. @type {Record<string, string>} */
const WORDS = {
  'node.joining': 'is joining',
  'node.up': 'is up',
  'node.changed': 'listens elsewhere',
  'node.draining': 'is draining',
  'node.left': 'has left',
  'node.down': 'is down: its lease is over',
  'registry.lost': 'has lost the registry',
  'registry.found': 'has found the registry again',
}

const started = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

/** @type {EventSource | null} */
let source = null
let opening = false
let retryTimer = 0
let retry_ms = RETRY_MS_MIN
let lastEvent = '' // its id
let loading = false
let loadAgain = false
let self = '' // the node that is asked, which may be another one after a restart

/** @param {Element} row @param {Node} node */
function showNode(row, node) {
  const [who, state, api, version, since] = row.children
  const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`)
  if (node.node === self) labels.unshift('this node')
  setText(who.children[0], node.node)
  setText(who.children[1], labels.join(' '))
  setText(state.children[0], node.state)
  state.children[0].setAttribute('data-state', node.state)
  setText(api.children[0], node.api)
  if (/^https?:\/\//.test(node.api)) api.children[0].setAttribute('href', node.api)
  setText(version, node.version)
  setText(since, started.format(new Date(node.started_at)))
}

/** Asks for the list; what happens meanwhile makes it ask once more. False when the token may not see it. */
async function load() {
  loadAgain = true
  if (loading) return true
  loading = true
  try {
    while (loadAgain) {
      loadAgain = false
      const { document } = await ask('GET', 'v1/nodes')
      self = (await ask('GET', 'v1/nodes/self')).document.node
      fillRows($('nodes'), $('node-row'), document.items, (/** @type {Node} */ node) => node.node, showNode)
      setText($('nodes-count'), document.items.length)
    }
    $('nodes-card').classList.remove('barred')
  } catch (error) {
    if (!(error instanceof Refusal) || error.problem.status !== 403) throw error
    $('nodes-card').classList.add('barred')
    return false
  } finally {
    loading = false
  }
  return true
}

/** @param {MessageEvent} event */
function onEvent(event) {
  lastEvent = event.lastEventId
  const { node, at } = JSON.parse(event.data)
  const line = document.createElement('li')
  const when = document.createElement('time')
  const who = document.createElement('code')
  when.dateTime = at
  when.textContent = clock.format(new Date(at))
  who.textContent = node
  line.append(when, ' ', who, ` ${WORDS[event.type]}`)
  $('happened').prepend(line)
  while ($('happened').children.length > HAPPENED_MAX) $('happened').lastElementChild.remove()
  load().catch(broken)
}

/** @param {string} state empty while the events come */
function showState(state) {
  setText($('nodes-state'), state)
  $('nodes-card').classList.toggle('stale', state !== '')
}

function close() {
  clearTimeout(retryTimer)
  source?.close()
  source = null
}

function broken() {
  close()
  showState('the list may be old: no events come')
  retryTimer = setTimeout(followNodes, retry_ms)
  retry_ms = Math.min(2 * retry_ms, RETRY_MS_MAX)
}

export async function followNodes() {
  clearTimeout(retryTimer)
  if (source || opening || document.hidden || isLocked()) return
  opening = true
  try {
    if (!(await load())) return
    source = await openStream('v1/events', lastEvent ? { after: lastEvent } : { from: 'oldest' })
    if (document.hidden) return close()
    for (const type of Object.keys(WORDS)) source.addEventListener(type, onEvent)
    source.addEventListener('error', broken)
    source.addEventListener('open', () => {
      retry_ms = RETRY_MS_MIN
      showState('')
      load().catch(broken) // what happened between the first list and the stream
    })
  } catch {
    if (!isLocked()) broken()
  } finally {
    opening = false
    if (!isLocked()) $('nodes-card').hidden = false
  }
}

export function startNodes() {
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : followNodes()))
  followNodes()
}
