// SPDX-License-Identifier: Apache-2.0
//
// The REST client of the page: requests, event streams, and the token that goes with them.
//
// The token is sent as a header and stands in no URL; a stream, which cannot have headers, is opened with a ticket that
// is good once. What outlives a reload is in sessionStorage: of this tab and this origin, and only a token that the
// node has accepted.
// @ts-check

/** @typedef {{ title?: string, detail?: string, field?: string, code?: string, status?: number, retry?: string,
 *              retry_after_ms?: number }} Problem */

const STORED = 'troupe.token'

export const base = new URL('.', location.href) // the node, also when a proxy serves it under a path

/** What the node said when it refused, or what kept it from answering. */
export class Refusal extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.title || 'The request failed')
    this.problem = problem
  }
}

let token = sessionStorage.getItem(STORED) ?? ''

/** Told of each 401. @type {{ unauthorized: (problem: Problem) => void }} */
export const hooks = { unauthorized() {} }

export const hasToken = () => token !== ''

/** Takes a token if the node knows it; otherwise the one before stays. Throws the refusal. @param {string} text */
export async function useToken(text) {
  if (!/^[\x21-\x7e]+$/.test(text))
    throw new Refusal({ title: 'This is not a token', detail: 'A token is one word: tt_ and 43 characters.' })
  try {
    await request('GET', 'v1/node', undefined, undefined, text)
  } catch (error) {
    const known = error instanceof Refusal && error.problem.status === 403 // known, with grants for other things
    if (!known) throw error
  }
  token = text
  sessionStorage.setItem(STORED, text)
}

export function forgetToken() {
  token = ''
  sessionStorage.removeItem(STORED)
}

/** @param {string} method @param {string} path @param {unknown} [body] @param {AbortSignal} [signal]
 *  @returns {Promise<{ status: number, document: any }>} */
export async function ask(method, path, body, signal) {
  try {
    return await request(method, path, body, signal, token)
  } catch (error) {
    if (error instanceof Refusal && error.problem.status === 401) hooks.unauthorized(error.problem)
    throw error
  }
}

/** @param {string} method @param {string} path @param {unknown} body @param {AbortSignal | undefined} signal
 *  @param {string} bearer @returns {Promise<{ status: number, document: any }>} */
async function request(method, path, body, signal, bearer) {
  /** @type {Record<string, string>} */
  const headers = {}
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (bearer !== '') headers['Authorization'] = `Bearer ${bearer}`
  let response
  let text
  try {
    response = await fetch(new URL(path, base), {
      method,
      signal,
      headers,
      cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    text = await response.text()
  } catch {
    throw new Refusal({
      title: 'The node does not answer',
      detail: 'Is it still running? Look at its terminal.',
    })
  }
  let document = null
  try {
    document = text === '' ? null : JSON.parse(text)
  } catch {
    throw new Refusal({
      title: 'The answer is not JSON',
      detail: text.slice(0, 200),
      status: response.status,
    })
  }
  if (!response.ok) throw new Refusal({ title: response.statusText, status: response.status, ...document })
  return { status: response.status, document }
}

/** Opens an event stream. A browser repeats a used ticket when it reconnects, so whoever follows a stream closes it at
 *  the first error and asks for another one.
 *  @param {string} path @param {Record<string, string>} parameters @returns {Promise<EventSource>} */
export async function openStream(path, parameters) {
  const url = new URL(path, base)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  if (hasToken()) url.searchParams.set('ticket', (await ask('POST', 'v1/tickets')).document.ticket)
  return new EventSource(url)
}
