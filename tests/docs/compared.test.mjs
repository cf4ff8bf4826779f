// SPDX-License-Identifier: Apache-2.0
//
// docs/compared.md claims nothing without a proof: every test that it names exists, every item of the lists beside this
// file has a row, and what is absent says why.

import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { read, sectionOf, top } from './lib/markdown.mjs'

const page = read('docs/compared.md')
const otp = ['OTP supervisor', 'OTP pg', 'OTP sys', 'OTP gen_statem']
const traps = 'What went wrong elsewhere'
const beforeOtp = page.slice(0, page.indexOf('\n## ractor_cluster'))

/** The cells of each row as they stand, with their backticks. */
function cellsOf(text) {
  const lines = text.split('\n')
  return lines.filter((line, at) => line.startsWith('| ') && !lines[at + 1]?.startsWith('|---'))
    .map((line) => line.slice(1, line.lastIndexOf('|')).split(/(?<!\\)\|/).map((cell) => cell.trim()))
}

const wordsIn = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1])

/** The items of a row; "::x" belongs to the type before it. */
function itemsOf(cell) {
  let type = ''
  return wordsIn(cell).map((word) => {
    if (word.startsWith('::')) return `${type}${word}`
    type = word.split('::')[0]
    return word
  })
}

const listOf = (name) => read(`tests/docs/${name}`).split('\n').filter((line) => line !== '' && !line.startsWith('#'))

const ractor = cellsOf(beforeOtp)
const compared = [...ractor, ...otp.flatMap((title) => cellsOf(sectionOf(page, title)))]

/** Why a test that the page names is not one, or null. */
function flaw(reference) {
  const found = /^([\w./-]+?): (.+)$/.exec(reference)
  if (!found) return `${reference}: not of the form "file: test"`
  const [, file, name] = found
  const place = path.join(top, 'tests', file)
  if (!existsSync(place)) return `${reference}: there is no such file`
  const text = readFileSync(place, 'utf8')
  if (file.endsWith('.c')) {
    const times = text.match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0
    const isDefined = text.includes(`static void ${name}(void **`)
    return isDefined && times >= 2 ? null : `${reference}: ${isDefined ? 'it is not run' : 'there is no such test'}`
  }
  if (file.endsWith('.json')) {
    return JSON.parse(text).some((one) => one.name === name) ? null : `${reference}: there is no such case`
  }
  const quoted = ["'", '"', '`'].map((quote) => `test(${quote}${name.replaceAll(quote, `\\${quote}`)}${quote},`)
  return quoted.some((start) => text.includes(start)) ? null : `${reference}: there is no such test`
}

test('every item of Ractor has a row, and no row has another', () => {
  const list = listOf('ractor_items.txt')
  const items = ractor.flatMap(([cell]) => itemsOf(cell))
  assert.ok(list.length > 350, `only ${list.length} items were read from the list`)
  assert.equal(new Set(list).size, list.length, 'an item is listed twice')
  assert.deepEqual(list.filter((item) => !items.includes(item)), [], 'items without a row')
  assert.deepEqual(items.filter((item) => !list.includes(item)), [], 'rows of what Ractor does not have')
})

test('every item of OTP has a row, and no row has another', () => {
  const text = read('tests/docs/otp_items.txt')
  const sections = text.split(/^## /m).slice(1).map((part) => part.split('\n'))
  assert.deepEqual(sections.map(([title]) => `OTP ${title}`), otp)
  for (const [title, ...lines] of sections) {
    const list = lines.filter((line) => line !== '')
    const items = cellsOf(sectionOf(page, `OTP ${title}`)).flatMap(([cell]) => wordsIn(cell))
    assert.deepEqual(list.filter((item) => !items.includes(item)), [], `items of ${title} without a row`)
    assert.deepEqual(items.filter((item) => !list.includes(item)), [], `rows of what ${title} does not have`)
  }
})

test('every row is proven by tests, or is absent and says why', () => {
  assert.ok(compared.length > 120, `only ${compared.length} rows were read`)
  for (const [item, here, proofs, note] of compared) {
    if (here === 'none') assert.ok(proofs === '' && note.length > 20, `${item}: why is there none?`)
    else assert.ok(here !== '' && wordsIn(proofs).length > 0, `${item}: nothing proves it`)
  }
})

test('every test that is named exists and is run', () => {
  const proofs = [...compared.map((row) => row[2]), ...cellsOf(sectionOf(page, traps)).map((row) => row[2])]
  const named = [...new Set(proofs.flatMap(wordsIn))]
  assert.ok(named.length > 150, `only ${named.length} tests were read`)
  assert.deepEqual(named.map(flaw).filter((words) => words !== null), [])
})

test('each of the twenty traps has a test', () => {
  const rows = cellsOf(sectionOf(page, traps))
  assert.deepEqual(rows.map(([number]) => Number(number)), Array.from({ length: 20 }, (_, at) => at + 1))
  for (const [number, symptom, proofs] of rows) {
    assert.ok(symptom.length > 20 && wordsIn(proofs).length > 0, `trap ${number}: nothing proves it`)
  }
})

test('a test that does not exist is found', () => {
  assert.match(flaw('unit/test_traps.c: test_that_nobody_wrote'), /no such test/)
  assert.match(flaw('unit/test_nothing.c: test_x'), /no such file/)
  assert.match(flaw('node/rest.test.mjs: what nobody tests'), /no such test/)
  assert.match(flaw('conformance/cases.json: nothing'), /no such case/)
  assert.match(flaw('a test without a file'), /not of the form/)
  assert.equal(flaw('unit/test_traps.c: test_timers_end_with_their_actor'), null)
})

test('what docs/compared.md says of C and REST is there', () => {
  const folder = 'actors/include/troupe'
  const headers = readdirSync(path.join(top, folder)).filter((name) => name.endsWith('.h'))
  const header = headers.map((name) => read(`${folder}/${name}`)).join('\n')
  const errors = read('actors/include/troupe/error.def')
  const isError = (word) => errors.includes(`TROUPE_ERROR(${word.replace('TROUPE_E_', '')},`)
  const isThere = (word) => new RegExp(`\\b${word}\\b`).test(header) || isError(word)
  const words = [...new Set(page.match(/\b(troupe|TROUPE)_[A-Za-z_]+(?![A-Za-z_.(])/g))].filter((word) => !word.endsWith('_'))
  assert.ok(words.length > 60, `only ${words} were read`)
  assert.deepEqual(words.filter((word) => !isThere(word)), [])
  const routes = [...page.matchAll(/`(?:GET|PUT|POST|DELETE) (\/v1\/[^ `?]*)/g)].map((match) => match[1])
  const api = read('docs/api.md')
  assert.deepEqual([...new Set(routes)].filter((route) => !api.includes(` ${route}`)), [])
})
