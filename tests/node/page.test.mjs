// SPDX-License-Identifier: Apache-2.0
//
// The node's own page: all that it is made of is served, to those without a token too, under a policy that lets
// nothing else in; and where the page may keep a token and where not.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import { startWithTokens } from './lib/tokens.mjs'

const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }

const cleanups = []
const parts = new Map() // path -> response

before(async () => {
  const node = await startWithTokens({ after: (fn) => cleanups.push(fn) }, [{ id: 'nobody' }])
  const waiting = ['/', '/index.html']
  for (const path of waiting) {
    if (parts.has(path)) continue
    const response = await node.request('GET', path)
    parts.set(path, response)
    waiting.push(...mentioned(response.text).map((name) => `/${name}`))
  }
  for (const cleanup of cleanups.reverse()) await cleanup()
})

/** Files that a page or a module loads. */
function mentioned(text) {
  const links = text.matchAll(/<(?:link|script|img)\b[^>]*(?:href|src)="([^"]+)"/g)
  const imports = text.matchAll(/^import .* from '\.\/([^']+)'/gm)
  return [...links, ...imports].map((match) => match[1])
}

test('the page and all that it loads are served without a token, each as what it is', () => {
  assert.ok(parts.size > 8, `only ${[...parts.keys()]} were found`)
  for (const [path, response] of parts) {
    assert.equal(response.status, 200, path)
    const type = TYPES[path === '/' ? 'html' : path.split('.').pop()]
    assert.ok(response.headers.get('content-type').startsWith(type), `${path} is ${response.headers.get('content-type')}`)
    assert.match(response.headers.get('content-security-policy'), /^default-src 'self';/, path)
  }
})

test('nothing of the page needs what the policy refuses', () => {
  const page = parts.get('/').text
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)|<style|\bstyle=|\son[a-z]+=/, 'inline code or style')
  for (const [path, { text }] of parts) {
    assert.doesNotMatch(text, /\b(?:href|src)="(?:https?:)?\/\//, `${path} loads from elsewhere`)
    assert.doesNotMatch(text, /\b(?:innerHTML|outerHTML|insertAdjacentHTML|eval)\b/, `${path} makes markup of text`)
  }
})

test('a token goes neither into an address nor into what outlives the tab', () => {
  for (const [path, { text }] of parts) {
    assert.doesNotMatch(text, /localStorage|indexedDB|document\.cookie|location\.(?:hash|search) ?=|pushState/, path)
  }
  const field = parts.get('/').text.match(/<input id="token"[^>]*>/)[0]
  assert.match(field, /type="password"/)
  assert.doesNotMatch(field, /\bname=/, 'a field with a name is in the URL of a form that is sent without JavaScript')
})
