// SPDX-License-Identifier: Apache-2.0
//
// The landing page: one node, its actors, and a counter to try.
//
// Two parts that share nothing but the REST client. The watcher polls: one request in flight at most, the next one a
// second after the answer, none while the page is hidden; a failed or late answer marks what is shown as stale, and the
// old figures stay, dimmed. The counter sends what its curl lines say, and shows the answer or the node's own problem
// document. Everything that comes from the node or the person reaches the page as textContent.
// @ts-check

/** @typedef {{ ref: string, name: string | null, behavior: string, state: string, mailbox?: { depth: number },
 *              processed: number, uptime_ms: number }} Actor */
/** @typedef {{ title?: string, detail?: string, field?: string, code?: string, status?: number,
 *              retry?: string }} Problem */

const POLL_MS = 1000 // from an answer to the next request
const ANSWER_MS_MAX = 5000 // a poll that takes longer counts as failed
const STALE_MS = 3000 // two updates missed
const ACTORS_MAX = 50

const base = new URL('.', location.href) // the node, also when a proxy serves it under a path

/** @param {string} id @returns {any} */
const $ = (id) => document.getElementById(id)

// ---- words and figures ----

const figures = new Intl.NumberFormat('en')

/** @param {number} ms */
function duration(ms) {
  if (ms < 60e3) return `${Math.floor(ms / 1e3)} s`
  if (ms < 3600e3) return `${Math.floor(ms / 60e3)} min`
  if (ms < 48 * 3600e3) return `${Math.floor(ms / 3600e3)} h`
  return `${Math.floor(ms / (24 * 3600e3))} days`
}

/** Changes the page only where it differs: selections and screen readers are left in peace.
 *  @param {Element} element @param {unknown} value */
function setText(element, value) {
  const text = value === null || value === undefined ? '' : String(value)
  if (element.textContent !== text) element.textContent = text
}

/** encodeURIComponent, and the quote as well, so that the path can stand in a shell's quotes. @param {string} text */
function pathSegment(text) {
  return encodeURIComponent(text).replace(/'/g, '%27')
}

/** One word of a POSIX shell. @param {string} text */
function shellWord(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`
}

// ---- the REST client ----

/** What the node said when it refused, or what kept it from answering. */
class Refusal extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.title || 'The request failed')
    this.problem = problem
  }
}

/** @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal]
 *  @returns {Promise<{ status: number, document: any }>} */
async function ask(method, path, body, signal) {
  let response
  try {
    response = await fetch(new URL(path, base), {
      method,
      signal,
      cache: 'no-store',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch {
    throw new Refusal({ title: 'The node does not answer', detail: 'Is it still running? Look at its terminal.' })
  }
  const text = await response.text()
  let document = null
  try {
    document = text === '' ? null : JSON.parse(text)
  } catch {
    throw new Refusal({ title: 'The answer is not JSON', detail: text.slice(0, 200), status: response.status })
  }
  if (!response.ok) throw new Refusal({ title: response.statusText, status: response.status, ...document })
  return { status: response.status, document }
}

// ---- the watcher ----

let pollTimer = 0
let polling = false
let failures = 0 // polls since the last answer
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
    ['Address', node.api, 'code'],
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
  const rows = nodeRows(node)
  for (const [i, [word, value, type]] of rows.entries()) {
    if (!list.children[2 * i]) list.append(document.createElement('dt'), document.createElement('dd'))
    const term = list.children[2 * i]
    const description = list.children[2 * i + 1]
    setText(term, word)
    setText(description, value)
    description.className = type
  }
  document.title = node.cluster ? `Troupe · ${node.cluster}` : 'Troupe'
}

/** @type {Map<string, HTMLElement>} */
const rowByRef = new Map()

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

/** Rows are kept by reference, so that a selection or the reading position survives an update.
 *  @param {{ items: Actor[], next: string | null }} list @param {number} total */
function showActors(list, total) {
  const body = $('actors')
  const seen = new Set()
  let place = body.firstElementChild
  for (const actor of list.items) {
    let row = rowByRef.get(actor.ref)
    if (!row) {
      row = $('actor-row').content.firstElementChild.cloneNode(true)
      rowByRef.set(actor.ref, /** @type {HTMLElement} */ (row))
    }
    showActor(/** @type {HTMLElement} */ (row), actor)
    if (row === place) place = place.nextElementSibling
    else body.insertBefore(row, place)
    seen.add(actor.ref)
  }
  for (const [ref, row] of rowByRef) {
    if (seen.has(ref)) continue
    row.remove()
    rowByRef.delete(ref)
  }
  const shown = list.items.length
  setText($('actors-count'), list.next ? `the first ${shown} of ${figures.format(Math.max(total, shown))}` : shown)
  $('actors-empty').hidden = shown > 0
}

/** Says whether what is shown is true. Only a change of the word is announced; the age is not. */
function showLink() {
  const age = performance.now() - answeredAt
  const first = answeredAt === 0
  const state = first ? (failures === 0 ? 'wait' : 'stale') : age > STALE_MS ? 'stale' : 'live'
  const words = { wait: 'connecting', live: 'live', stale: first ? 'no answer' : 'no answer, figures are old' }
  $('link').dataset.state = state
  setText($('link-state'), words[state])
  setText($('link-age'), state === 'stale' && !first ? `(${duration(age)})` : '')
  for (const id of ['node-card', 'actors-card']) $(id).classList.toggle('stale', state === 'stale')
}

async function poll() {
  if (polling || document.hidden) return
  polling = true
  const abort = new AbortController()
  const deadline = setTimeout(() => abort.abort(), ANSWER_MS_MAX)
  try {
    const node = await ask('GET', 'v1/node', undefined, abort.signal)
    const list = await ask('GET', `v1/actors?limit=${ACTORS_MAX}`, undefined, abort.signal)
    showNode(node.document)
    showActors(list.document, node.document.stats.actors)
    answeredAt = performance.now()
    failures = 0
  } catch (error) {
    failures += 1 // the head of the page says that the figures are old, and since when
    if (!(error instanceof Refusal)) console.error(error)
  } finally {
    clearTimeout(deadline)
    polling = false
    showLink()
    pollSoon(POLL_MS)
  }
}

/** @param {number} delay_ms */
function pollSoon(delay_ms) {
  clearTimeout(pollTimer)
  if (!document.hidden) pollTimer = setTimeout(poll, delay_ms)
}

// ---- the counter ----

const placeholder = '{ref}'
let sending = false
let spawned = '' // the id of the last actor spawned without a name

/** The reference that the actions go to, as it stands in a path. */
function target() {
  const name = $('name').value
  return name === '' ? spawned || placeholder : `@${pathSegment(name)}`
}

function spawnBody() {
  const name = $('name').value
  return name === '' ? { behavior: 'counter' } : { behavior: 'counter', name, if_exists: 'return' }
}

/** @type {{ word: string, method: string, path: () => string, body?: () => unknown }[]} */
const actions = [
  { word: 'spawn', method: 'POST', path: () => 'v1/actors', body: spawnBody },
  { word: 'add 1', method: 'POST', path: () => `v1/actors/${target()}/call/add`, body: () => ({ by: 1 }) },
  { word: 'get', method: 'GET', path: () => `v1/actors/${target()}/call/get` },
  { word: 'reset', method: 'POST', path: () => `v1/actors/${target()}/call/reset` },
]

/** The same request as a line for a shell. @param {typeof actions[0]} action */
function curlLine(action) {
  const words = ['curl']
  if (action.method !== 'GET') words.push('-X', action.method)
  words.push(shellWord(base + action.path()))
  if (action.body) words.push('-d', shellWord(JSON.stringify(action.body())))
  return words.join(' ')
}

/** @param {Problem} problem */
function showProblem(problem) {
  const title = document.createElement('strong')
  title.textContent = problem.title || 'The request failed'
  const parts = [title]
  if (problem.detail) {
    const detail = document.createElement('p')
    detail.textContent = problem.detail
    parts.push(detail)
  }
  const facts = [
    problem.status && `status ${problem.status}`,
    problem.code,
    problem.field && `field ${problem.field}`,
    problem.retry && `retry: ${problem.retry}`,
  ].filter(Boolean)
  if (facts.length > 0) {
    const line = document.createElement('code')
    line.textContent = facts.join(' · ')
    parts.push(line)
  }
  setText($('value'), '')
  setText($('said'), 'No answer this time.')
  $('problem').replaceChildren(...parts)
  $('problem').hidden = false
}

/** @param {string} who @param {typeof actions[0]} action @param {number} status @param {any} document */
function showAnswer(who, action, status, document) {
  $('problem').hidden = true
  if (action.word === 'spawn') {
    setText($('value'), '')
    const stranger = document.behavior !== 'counter' ? `, as a ${document.behavior}` : ''
    setText(
      $('said'),
      status === 201 ? `${who} is here now. Send it a message.` : `${who} was here already${stranger}.`,
    )
    return
  }
  const known = document !== null && typeof document === 'object' && 'value' in document
  setText($('value'), known ? document.value : '')
  setText($('said'), known ? `${who} answered “${action.word}”` : `${who} answered ${JSON.stringify(document)}`)
}

/** @param {typeof actions[0]} action */
async function run(action) {
  if (sending) return
  sending = true
  const name = $('name').value
  try {
    const { status, document } = await ask(action.method, action.path(), action.body && action.body())
    if (action.word === 'spawn' && name === '') spawned = document.ref
    showAnswer(name === '' ? spawned : `@${name}`, action, status, document)
  } catch (error) {
    showProblem(error instanceof Refusal ? error.problem : { title: String(error) })
  } finally {
    sending = false
    showCounter()
    pollSoon(0)
  }
}

/** @param {HTMLElement} button @param {HTMLElement} code */
async function copy(button, code) {
  try {
    await navigator.clipboard.writeText(code.textContent || '')
    setText(button, 'Copied')
  } catch {
    getSelection()?.selectAllChildren(code) // no clipboard without a secure context
    setText(button, 'Selected')
  }
  setTimeout(() => setText(button, 'Copy'), 1500)
}

function showCounter() {
  for (const [i, action] of actions.entries()) {
    const row = $('actions').children[i]
    setText(row.querySelector('code'), curlLine(action))
    row.querySelector('.send').disabled = action.word !== 'spawn' && target() === placeholder
  }
}

function start() {
  for (const action of actions) {
    const row = $('action-row').content.firstElementChild.cloneNode(true)
    const [send, code, copyButton] = row.children
    send.textContent = action.word
    if (action.word === 'spawn') {
      send.type = 'submit' // so that Enter in the name field spawns
      send.setAttribute('form', 'spawn-form')
      send.classList.add('primary')
    } else {
      send.addEventListener('click', () => run(action))
    }
    copyButton.setAttribute('aria-label', `Copy the curl line for ${action.word}`)
    copyButton.addEventListener('click', () => copy(copyButton, code))
    $('actions').append(row)
  }
  $('spawn-form').addEventListener('submit', (/** @type {Event} */ event) => {
    event.preventDefault()
    run(actions[0])
  })
  $('name').addEventListener('input', showCounter)
  showCounter()

  document.addEventListener('visibilitychange', () => pollSoon(0))
  setInterval(() => document.hidden || showLink(), 1000)
  poll()
}

start()
