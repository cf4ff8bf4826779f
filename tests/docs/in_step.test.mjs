// SPDX-License-Identifier: Apache-2.0
//
// The documents and the programs in step, both ways: what a program has is documented, and what is documented is there.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'

import { start } from '../node/lib/trouped.mjs'
import { read, rowsOf, sectionOf, top, wordsOf } from './lib/markdown.mjs'

if (!process.env.TROUPE) throw new Error('TROUPE must name the program, for example TROUPE=build/troupe')

const api = read('docs/api.md')
const operations = read('docs/operations.md')

const help = (program, ...args) => execFileSync(path.resolve(process.env[program]), args, { encoding: 'utf8' })
const flagsIn = (text) => [...new Set(text.match(/(?<![\w-])--[a-z][a-z-]*[a-z]/g) ?? [])].sort()

/** The words of a manual page, without the marks of roff. */
function manual(program) {
  const section = [1, 8].find((number) => existsSync(path.join(top, `docs/man/${program}.${number}`)))
  assert.ok(section, `there is no docs/man/${program}.1 or .8`)
  const source = read(`docs/man/${program}.${section}`)
  return source.replace(/\\f[A-Z]/g, '').replaceAll('\\-', '-').replace(/^\.[A-Z]+ /gm, '')
}

function assertMentions(text, words, where) {
  const missing = words.filter((word) => !new RegExp(`(?<![\\w-])${word.replaceAll('.', '\\.')}(?![\\w-])`).test(text))
  assert.deepEqual(missing, [], `${where} does not mention ${missing.join(' ')}`)
}

let node
let operationsOfApi // "POST /v1/actors" -> the operation

before(async () => {
  const cleanups = []
  node = await start({ after: (fn) => cleanups.push(fn) })
  const document = (await node.request('GET', '/openapi.json')).json
  node.metrics = (await node.request('GET', '/metrics')).text
  for (const cleanup of cleanups.reverse()) await cleanup()
  operationsOfApi = new Map(Object.entries(document.paths).flatMap(([route, item]) =>
    Object.entries(item).filter(([method]) => /^(get|put|post|delete|patch)$/.test(method))
      .map(([method, operation]) => [`${method.toUpperCase()} ${route}`, operation])))
})

test('docs/api.md has every error of error.def, word for word, and no other', () => {
  const pattern = /^TROUPE_ERROR\(\w+,\s*\d+,\s*"([^"]+)",\s*(\d+),\s*(\w+),\s*(\w+),\s*"([^"]+)"\)/gm
  const table = [...read('actors/include/troupe/error.def').matchAll(pattern)]
    .map(([, code, status, retry, outcome, text]) => [code, status, retry.toLowerCase(), outcome.toLowerCase(), text])
  assert.ok(table.length > 30, `only ${table.length} rows were read from error.def`)
  assert.deepEqual(rowsOf(sectionOf(api, 'The table of errors')), table)
})

test('docs/api.md has every route, and no other', () => {
  const titles = [...api.matchAll(/^### ((?:GET|PUT|POST|DELETE|PATCH) \S+)$/gm)].map((match) => match[1])
  const mentioned = rowsOf(sectionOf(api, 'Health, metrics and documents')).map((row) => row[0])
  assert.deepEqual([...titles, ...mentioned].sort(), [...operationsOfApi.keys()].sort())
})

test('docs/api.md names every parameter of a route in its section', () => {
  for (const [name, operation] of operationsOfApi) {
    const parameters = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')
    if (parameters.length === 0) continue
    const words = wordsOf(sectionOf(api, name))
    for (const parameter of parameters) assert.ok(words.includes(parameter.name), `${name}: ${parameter.name}`)
  }
})

test('docs/operations.md and the manual page have every flag of trouped, and no other', () => {
  const flags = flagsIn(help('TROUPED', '--help'))
  assert.ok(flags.length > 15, `only ${flags} were read from --help`)
  assertMentions(manual('trouped'), flags, 'the manual page')
  const listed = rowsOf(sectionOf(operations, 'Flags')).map((row) => row[0].split(/[ =]/)[0])
  assert.deepEqual(listed.sort(), flags)
  const strange = flagsIn(operations.replace(/^```[^]*?^```/gm, '')).filter((flag) => !flags.includes(flag))
  assert.deepEqual(strange, [], `trouped has no ${strange.join(' ')}`)
})

test('docs/cli.md and the manual page have every command and flag of troupe', () => {
  const usage = help('TROUPE', '--help')
  const commands = [...sectionBetween(usage, 'Commands:\n', '\n\n').matchAll(/^ {2}(\w+)/gm)].map((match) => match[1])
  assert.ok(commands.length > 8, `only ${commands} were read from --help`)
  const pages = [usage, ...commands.map((command) => help('TROUPE', command, '--help'))]
  const flags = flagsIn(pages.join('\n'))
  assert.ok(flags.length > 15, `only ${flags} were read from the help`)
  for (const [where, text] of [['docs/cli.md', read('docs/cli.md')], ['the manual page', manual('troupe')]]) {
    assertMentions(text, flags, where)
    assertMentions(text, commands, where)
    const known = [...flags, '--version'] // before a command only, so that no help of a command has it
    const own = text.replace(/^ {4}.*$/gm, '')
    assert.deepEqual(flagsIn(own).filter((flag) => !known.includes(flag)), [], `${where} has a flag of its own`)
  }
})

function sectionBetween(text, from, to) {
  const start = text.indexOf(from) + from.length
  return text.slice(start, text.indexOf(to, start))
}

test('docs/operations.md and the manual page have every exit code of trouped', () => {
  const codes = [...read('server/config.h').matchAll(/CONFIG_EXIT_\w+ = (\d+)/g)].map((match) => match[1])
  assert.ok(codes.length > 4, `only ${codes} were read from server/config.h`)
  assert.deepEqual(rowsOf(sectionOf(operations, 'Exit codes')).map((row) => row[0]), codes)
  const status = sectionBetween(`${manual('trouped')}\n.SH`, 'EXIT STATUS', '\n.SH')
  assertMentions(status, codes, 'EXIT STATUS of the manual page')
})

test('docs/operations.md has every metric, with its kind, and no other', () => {
  const metrics = [...node.metrics.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map((match) => [match[1], match[2]])
  assert.ok(metrics.length > 30, `only ${metrics.length} were read from /metrics`)
  const listed = rowsOf(sectionOf(operations, 'Metrics')).map((row) => [row[0].replace(/\{.*/, ''), row[1]])
  assert.deepEqual(listed.sort(), metrics.sort())
})

test('docs/api.md tells the limits that are compiled in', () => {
  const define = /^#define (TROUPE_\w+) \(?(\d+)u?(?: << (\d+)\))?/gm
  const defines = [...read('actors/include/troupe/limits.h').matchAll(define)]
  const valueOf = (value, shift = 0) => Number(value) * 2 ** Number(shift)
  const limits = Object.fromEntries(defines.map(([, name, value, shift]) => [name, valueOf(value, shift)]))
  const rows = new Map(rowsOf(sectionOf(api, 'Limits')).map(([what, limit]) => [what, limit]))
  const count = (n) => n.toLocaleString('en')
  const bytes = (n) => `${n} bytes`
  const mib = (n) => `${n / 2 ** 20} MiB`
  const seconds = (ms) => `${ms / 1000} s`
  const minutes = (ms) => `${ms / 60000} min`
  for (const [row, name, words] of [
    ['body of a request', 'TROUPE_BODY_BYTES_MAX', mib],
    ['body of a reply', 'TROUPE_BODY_BYTES_MAX', mib],
    ['name', 'TROUPE_NAME_BYTES_MAX', bytes],
    ['behavior, message type', 'TROUPE_TYPE_BYTES_MAX', (n) => `${n} of`],
    ['content type', 'TROUPE_CONTENT_TYPE_BYTES_MAX', bytes],
    ['mailbox', 'TROUPE_MAILBOX_MESSAGES_DEFAULT', count],
    ['mailbox', 'TROUPE_MAILBOX_BYTES_DEFAULT', mib],
    ['timeout of a call', 'TROUPE_CALL_TIMEOUT_MS_DEFAULT', seconds],
    ['timeout of a call', 'TROUPE_CALL_TIMEOUT_MS_MAX', minutes],
    ['start of an actor', 'TROUPE_START_TIMEOUT_MS_DEFAULT', seconds],
  ]) assert.ok(rows.get(row).includes(words(limits[name])), `${row} does not say ${words(limits[name])}`)
})

test('docs/behaviors.md has every behavior and message type of the node', async (t) => {
  const behaviors = read('docs/behaviors.md')
  const living = await start(t)
  const { items } = (await living.request('GET', '/v1/behaviors')).json
  assert.ok(items.length > 0)
  for (const { name, types } of items) {
    assertMentions(sectionOf(behaviors, name), types.map((type) => type.name), `docs/behaviors.md, ${name}`)
  }
})
