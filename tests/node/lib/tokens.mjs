// SPDX-License-Identifier: Apache-2.0
//
// A file of tokens for a node, with the secrets that go with it, and requests that carry one.

import { createHash, randomBytes } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { temporaryFolder, start } from './trouped.mjs'

export const sha256 = (text) => createHash('sha256').update(text).digest('hex')

export class Tokens {
  secrets = {}   // by id

  constructor(folder) {
    this.path = path.join(folder, 'tokens.json')
  }

  /** Write the rows, each {id, grants?, ...}; an id that was there before keeps its secret. */
  write(rows) {
    const tokens = rows.map(({ id, ...more }) => {
      this.secrets[id] ??= `tt_${randomBytes(32).toString('base64url')}`
      return { id, sha256: sha256(this.secrets[id]), ...more }
    })
    return this.writeText(JSON.stringify({ tokens }))
  }

  writeText(text) {
    writeFileSync(`${this.path}.new`, text, { mode: 0o600 })
    renameSync(`${this.path}.new`, this.path)
    return this
  }

  /** The header that carries the token of this id; for null none. */
  headers(id) {
    return id === null ? [] : [['Authorization', `Bearer ${this.secrets[id]}`]]
  }
}

/** Start a node with these rows; node.as(id, method, target, options) asks with a token. */
export async function startWithTokens(t, rows, args = [], options = {}) {
  const folder = options.folder ?? temporaryFolder(t)
  const tokens = new Tokens(folder).write(rows)
  const node = await start(t, ['--tokens', tokens.path, ...args], { ...options, folder })
  node.tokens = tokens
  node.as = (id, method, target, more = {}) =>
    node.request(method, target, { ...more, headers: [...tokens.headers(id), ...(more.headers ?? [])] })
  node.reload = async () => {
    const seen = node.stderr.length
    node.signalTo('SIGHUP')
    await node.line((line) => node.stderr.indexOf(line, seen) >= 0 && /the tokens (were|stay)/.test(line), 'stderr')
  }
  return node
}

