// SPDX-License-Identifier: Apache-2.0
//
// Holds a node's answers against the document that it serves at /openapi.json. Every exchange of a suite is seen; in
// the end each operation of the document was exercised, and nothing was seen that the document does not say.

import { resolve, validate } from './schema.mjs'
import { Connection } from './socket.mjs'
import { withJson } from './trouped.mjs'

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

export class Contract {
  #document
  #operations = new Map() // "GET /v1/actors" -> the operation
  #exercised = new Set()
  #faults = new Set()

  constructor(document) {
    this.#document = document
    for (const [template, item] of Object.entries(document.paths)) {
      for (const method of methods) {
        if (item[method]) this.#operations.set(`${method.toUpperCase()} ${template}`, item[method])
      }
    }
  }

  static async of(node) {
    return new Contract((await node.request('GET', '/openapi.json')).json)
  }

  get operations() {
    return [...this.#operations.keys()]
  }

  /** Operations that no request of the suite reached with a 2xx answer. */
  get unexercised() {
    return this.operations.filter((name) => !this.#exercised.has(name))
  }

  /** What was seen and is not in the document. */
  get faults() {
    return [...this.#faults]
  }

  /** Judge one exchange. */
  see(method, target, response) {
    const name = this.#find(method, target.split('?')[0])
    const seen = `${name ?? `${method} ${target} (no such operation)`} -> ${response.status} ${response.type}`
    const faults = name ? this.#judge(name, response) : this.#judgeUnknown(method, response)
    if (saysNoMoreThanItsTitle(response)) faults.push('the detail is the title')
    for (const fault of faults) this.#faults.add(`${seen}: ${fault}`)
    if (name && response.status < 300) this.#exercised.add(name)
  }

  #find(method, path) {
    const parts = path.split('/')
    const fits = this.operations.filter((name) => {
      const [verb, template] = name.split(' ')
      const names = template.split('/')
      return (
        verb === method && names.length === parts.length && names.every((one, i) => isTemplate(one) || one === parts[i])
      )
    })
    return fits.sort((a, b) => a.split('{').length - b.split('{').length)[0] // the most literal one
  }

  #judge(name, response) {
    const { responses } = this.#operations.get(name)
    const status = String(response.status)
    const found = responses[status] ?? responses[`${status[0]}XX`] ?? responses.default
    if (!found) return ['the status is not documented']
    const said = this.#resolved(found)
    const faults = Object.entries(said.headers ?? {})
      .filter(([header, one]) => this.#resolved(one).required && !response.headers.has(header.toLowerCase()))
      .map(([header]) => `header ${header} is missing`)
    if (!said.content)
      return response.content.length === 0 ? faults : [...faults, 'has a body, which is not documented']
    const media = said.content[response.type] ?? said.content['*/*']
    if (!media) return [...faults, `the content type is not documented, only ${Object.keys(said.content)}`]
    return media.schema ? [...faults, ...this.#validate(media.schema, response)] : faults
  }

  /** Requests that the document does not know may only be refused. */
  #judgeUnknown(method, response) {
    if (method === 'HEAD' || method === 'OPTIONS') return []
    if (response.status < 400) return ['is served, but not documented']
    return this.#validate({ $ref: '#/components/schemas/Problem' }, response)
  }

  #validate(schema, response) {
    if (!/[/+]json$/.test(response.type)) return []
    try {
      return validate(schema, response.json, this.#document)
    } catch (error) {
      return [String(error)]
    }
  }

  #resolved(node) {
    return node.$ref ? resolve(node.$ref, this.#document) : node
  }
}

/** A problem whose detail names neither the thing nor the remedy. */
function saysNoMoreThanItsTitle({ type, content, text }) {
  if (type !== 'application/problem+json' || content.length === 0) return false
  const { detail, title } = JSON.parse(text)
  return detail === title
}

function isTemplate(part) {
  return part.startsWith('{') && part.endsWith('}')
}

/** A client whose every exchange the contract sees; one kept-alive connection, opened again when the node closes it. */
export class WatchedClient {
  #connection = null

  constructor(node, contract) {
    this.node = node
    this.contract = contract
  }

  async request(method, target, options = {}) {
    if (!this.#connection || this.#connection.isOver) this.#connection = await Connection.open(this.node.port)
    const response = await this.#connection.request(method, target, withJson(options))
    if (response.headers.get('connection') === 'close') this.close()
    this.contract.see(method, target, response)
    return response
  }

  get = (target, options) => this.request('GET', target, options)
  delete = (target, options) => this.request('DELETE', target, options)
  post = (target, json, options = {}) => this.request('POST', target, { json, ...options })

  close() {
    this.#connection?.close()
    this.#connection = null
  }
}
