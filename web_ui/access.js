// SPDX-License-Identifier: Apache-2.0
//
// Lets a person in: asks for a token when the node wants one, and forgets it when told to.
// @ts-check

import { forgetToken, hasToken, Refusal, useToken } from './client.js'
import { $, setText, showProblem } from './page.js'

let asking = false // the card is open; what follows the node waits until there is a token

export const isLocked = () => asking

/** True when requests need a token, also while there is one. */
export const isGuarded = () => asking || hasToken()

/** The node has answered 401. @param {import('./client.js').Problem} problem */
export function askForToken(problem) {
  if (asking) return
  asking = true
  setText($('access-title'), hasToken() ? 'The token is not valid any more' : 'This node asks for a token')
  $('access-problem').hidden = true
  if (hasToken()) showProblem($('access-problem'), problem)
  $('access').hidden = false
  showGuard()
}

/** What only a token opens cannot be a plain link. */
function showGuard() {
  for (const link of document.querySelectorAll('a.guarded'))
    /** @type {HTMLElement} */ (link).hidden = isGuarded()
  $('forget').hidden = !hasToken()
}

/** @param {() => void} entered called when there is a token that the node knows */
export function startAccess(entered) {
  $('access-form').addEventListener('submit', async (/** @type {Event} */ event) => {
    event.preventDefault()
    const field = $('token')
    $('access-send').disabled = true
    try {
      await useToken(field.value.trim())
      field.value = ''
      asking = false
      $('access').hidden = true
      showGuard()
      entered()
    } catch (error) {
      const problem = error instanceof Refusal ? error.problem : { title: String(error) }
      const unknown = { ...problem, title: 'The node does not know this token', detail: '' }
      showProblem($('access-problem'), problem.status === 401 ? unknown : problem)
      field.select()
    } finally {
      $('access-send').disabled = false
    }
  })
  $('forget').addEventListener('click', () => {
    forgetToken()
    location.reload() // so that nothing stays on the page that the token has opened
  })
  showGuard()
}
