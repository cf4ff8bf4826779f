// SPDX-License-Identifier: Apache-2.0
//
// Words and figures, and how they come onto the page: always as textContent, whoever they are from.
// @ts-check

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id)

export const figures = new Intl.NumberFormat('en')

/** @param {number} ms */
export function duration(ms) {
  if (ms < 60e3) return `${Math.floor(ms / 1e3)} s`
  if (ms < 3600e3) return `${Math.floor(ms / 60e3)} min`
  if (ms < 48 * 3600e3) return `${Math.floor(ms / 3600e3)} h`
  return `${Math.floor(ms / (24 * 3600e3))} days`
}

/** Changes the page only where it differs: selections and screen readers are left in peace.
 *  @param {Element} element @param {unknown} value */
export function setText(element, value) {
  const text = value === null || value === undefined ? '' : String(value)
  if (element.textContent !== text) element.textContent = text
}

/** Fills a tbody: rows are kept by key, so that a selection or the reading position survives an update.
 *  @template T
 *  @param {HTMLElement} body
 *  @param {HTMLTemplateElement} template of one row
 *  @param {T[]} items
 *  @param {(item: T) => string} keyOf
 *  @param {(row: Element, item: T) => void} show */
export function fillRows(body, template, items, keyOf, show) {
  const rows = /** @type {HTMLElement[]} */ ([...body.children])
  const old = new Map(rows.map((row) => [row.dataset.key, row]))
  let place = body.firstElementChild
  for (const item of items) {
    const key = keyOf(item)
    let row = old.get(key)
    old.delete(key)
    if (!row) {
      row = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true))
      row.dataset.key = key
    }
    show(row, item)
    if (row === place) place = place.nextElementSibling
    else body.insertBefore(row, place)
  }
  for (const row of old.values()) row.remove()
}

/** A problem document, in words. @param {HTMLElement} box @param {import('./client.js').Problem} problem */
export function showProblem(box, problem) {
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
  box.replaceChildren(...parts)
  box.hidden = false
}
