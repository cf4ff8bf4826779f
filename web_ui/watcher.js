// SPDX-License-Identifier: Apache-2.0
//
// The figures of this node and its actors, by polling: one request in flight at most, the next round a second after the
// answer, none while the page is hidden or waits for a token. A failed or late answer marks what is shown as stale, and
// the old figures stay, dimmed. What a token may not see is said in its place.
// @ts-check

import { isLocked } from './access.js'
import { ask, Refusal } from './client.js'
import { $, duration, figures, fillRows, setText } from './page.js'

/** @typedef {{ ref: string, name: string | null, behavior: string, state: string, mailbox?: { depth: number },
 *              processed: number, uptime_ms: number }} Actor */

const POLL_MS = 1000 // from an answer to the next request
const ANSWER_MS_MAX = 5000 // a round that takes longer counts as failed
const STALE_MS = 3000 // two updates missed
const ACTORS_MAX = 50

let pollTimer = 0
let polling = false
let failure = '' // why the last round failed, empty when it did not
let answeredAt = 0 // performance.now() of the last whole answer, 0 before the first
/** @type {{ messages: number, at: number } | null} */
let previous = null // where the rate is counted from
let rate = 0 // messages a second

/** Each row: the word, what to show, in which type.
 *  @param {any} node @returns {[string, unknown, string][]} */
function nodeRows(node) {
  const now = performance.now()
  const { actors, messages } = node.stats
  const since_ms = previous ? now - previous.at : 0
  if (previous && since_ms >= POLL_MS)
    rate = Math.max(0, Math.round(((messages - previous.messages) * 1000) / since_ms))
  if (!previous || since_ms >= POLL_MS) previous = { messages, at: now }
  return [
    ['Node', node.node, 'code'],
    ['Cluster', node.cluster, 'code'],
    ['State', node.state, ''],
    ['Version', node.version, ''],
    ['Process', node.pid, ''],
    ['Workers', node.workers, ''],
    ['Up', duration(node.uptime_ms), ''],
    ['Actors', figures.format(actors), ''],
    ['Messages', figures.format(messages), ''],
    ['A second', figures.format(rate), ''],
  ]
}

/** @param {any} node */
function showNode(node) {
  const list = $('node')
  for (const [i, [word, value, type]] of nodeRows(node).entries()) {
    if (!list.children[2 * i]) list.append(document.createElement('dt'), document.createElement('dd'))
    setText(list.children[2 * i], word)
    setText(list.children[2 * i + 1], value)
    list.children[2 * i + 1].className = type
  }
  setText($('trouble'), node.trouble)
  $('trouble').hidden = !node.trouble
  document.title = `Troupe · ${node.node}`
}

/** @param {Element} row @param {Actor} actor */
function showActor(row, actor) {
  const [who, behavior, state, mailbox, processed, up] = row.children
  setText(who.children[0], actor.name ? `@${actor.name}` : '')
  setText(who.children[1], actor.ref)
  setText(behavior, actor.behavior)
  setText(state.children[0], actor.state)
  state.children[0].setAttribute('data-state', actor.state)
  setText(mailbox, figures.format(actor.mailbox ? actor.mailbox.depth : 0))
  setText(processed, figures.format(actor.processed))
  setText(up, duration(actor.uptime_ms))
}

/** @param {{ items: Actor[], next: string | null }} list @param {number | null} total */
function showActors(list, total) {
  fillRows($('actors'), $('actor-row'), list.items, (actor) => actor.ref, showActor)
  const shown = list.items.length
  const more =
    total === null ? `the first ${shown}` : `the first ${shown} of ${figures.format(Math.max(total, shown))}`
  setText($('actors-count'), list.next ? more : shown)
  $('actors-empty').hidden = shown > 0
}

/** Asks for one part of the page; null when the token may not see it, which its card then says.
 *  @param {string} path @param {string} card @param {AbortSignal} signal */
async function askFor(path, card, signal) {
  try {
    const { document } = await ask('GET', path, undefined, signal)
    $(card).classList.remove('barred')
    return document
  } catch (error) {
    if (!(error instanceof Refusal) || error.problem.status !== 403) throw error
    $(card).classList.add('barred')
    return null
  }
}

/** Says whether what is shown is true. Only a change of the word is announced; the age is not. */
function showLink() {
  const age = performance.now() - answeredAt
  const first = answeredAt === 0
  const stale = isLocked() || (first ? failure !== '' : age > STALE_MS)
  const state = isLocked() ? 'locked' : stale ? 'stale' : first ? 'wait' : 'live'
  const why = isLocked() ? 'a token is needed' : failure || 'no answer'
  const words = stale ? (first ? why : `${why}, figures are old`) : first ? 'connecting' : 'live'
  $('link').dataset.state = state
  setText($('link-state'), words)
  setText($('link-age'), stale && !first ? `(${duration(age)})` : '')
  for (const id of ['node-card', 'actors-card']) $(id).classList.toggle('stale', stale)
  $('nodes-card').classList.toggle('link-stale', stale)
}

async function poll() {
  if (polling || document.hidden || isLocked()) return
  polling = true
  const abort = new AbortController()
  const deadline = setTimeout(() => abort.abort(), ANSWER_MS_MAX)
  let wait_ms = POLL_MS
  try {
    const node = await askFor('v1/node', 'node-card', abort.signal)
    const list = await askFor(`v1/actors?limit=${ACTORS_MAX}`, 'actors-card', abort.signal)
    if (node) showNode(node)
    if (list) showActors(list, node ? node.stats.actors : null)
    $('node-card').hidden = $('actors-card').hidden = false
    answeredAt = performance.now()
    failure = ''
  } catch (error) {
    const problem = error instanceof Refusal ? error.problem : { title: String(error) }
    failure = problem.status === undefined ? 'no answer' : (problem.title ?? '')
    wait_ms = Math.max(wait_ms, problem.retry_after_ms ?? 0)
  } finally {
    clearTimeout(deadline)
    polling = false
    showLink()
    pollSoon(wait_ms)
  }
}

/** @param {number} [delay_ms] */
export function pollSoon(delay_ms = 0) {
  clearTimeout(pollTimer)
  if (!document.hidden) pollTimer = setTimeout(poll, delay_ms)
}

export function startWatcher() {
  document.addEventListener('visibilitychange', () => pollSoon())
  setInterval(() => document.hidden || showLink(), 1000)
  poll()
}
