// SPDX-License-Identifier: Apache-2.0
//
// A counter to try: each button sends what its curl line says, and shows the answer or the node's own problem document.
// @ts-check

import { isGuarded } from './access.js'
import { ask, base, Refusal } from './client.js'
import { $, setText, showProblem } from './page.js'
import { pollSoon } from './watcher.js'

/** encodeURIComponent, and the quote as well, so that the path can stand in a shell's quotes. @param {string} text */
function pathSegment(text) {
  return encodeURIComponent(text).replace(/'/g, '%27')
}

/** One word of a POSIX shell. @param {string} text */
function shellWord(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`
}

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
  if (isGuarded()) words.push('-H "Authorization: Bearer $TROUPE_TOKEN"')
  words.push(shellWord(base + action.path()))
  if (action.body) words.push('-d', shellWord(JSON.stringify(action.body())))
  return words.join(' ')
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
  setText(
    $('said'),
    known ? `${who} answered “${action.word}”` : `${who} answered ${JSON.stringify(document)}`,
  )
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
    setText($('value'), '')
    setText($('said'), 'No answer this time.')
    showProblem($('problem'), error instanceof Refusal ? error.problem : { title: String(error) })
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

/** Brings the curl lines up to date. */
export function showCounter() {
  for (const [i, action] of actions.entries()) {
    const row = $('actions').children[i]
    setText(row.querySelector('code'), curlLine(action))
    row.querySelector('.send').disabled = action.word !== 'spawn' && target() === placeholder
  }
}

export function startCounter() {
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
}
