// SPDX-License-Identifier: Apache-2.0
//
// What the tests need of Markdown, as our documents write it: fenced blocks, headings, tables, links, words in
// backticks.

import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const top = fileURLToPath(new URL('../../../', import.meta.url))

export const read = (name) => readFileSync(path.join(top, name), 'utf8')

const ignored = new Set(['.git', 'build', 'node_modules', 'autom4te.cache'])

/** Every Markdown file of the source tree, by its path from the top. */
export function documents(folder = '') {
  return readdirSync(path.join(top, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name)
    if (ignored.has(entry.name) || /^(_|troupe-\d)/.test(entry.name)) return [] // make distcheck leaves such
    if (entry.isDirectory()) return documents(name)
    return entry.name.endsWith('.md') ? [name] : []
  })
}

/**
 * The fenced blocks, each with its language, first line, the words of the directive above it
 * (<!-- docs-test: words -->), and whether only blank lines lie between it and the block before.
 */
export function blocksOf(text) {
  const blocks = []
  const lines = text.split('\n')
  let directive = null
  let follows = false
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(`{3,})(\S*)$/.exec(lines[at])
    const comment = /^<!-- docs-test: (.*) -->$/.exec(lines[at])
    if (comment) directive = comment[1]
    if (fence) {
      const end = lines.indexOf(fence[1], at + 1)
      if (end < 0) throw new Error(`the block at line ${at + 1} does not end`)
      blocks.push({ language: fence[2], text: lines.slice(at + 1, end).join('\n'), line: at + 1, directive, follows })
      at = end
      follows = true
      directive = null
    } else if (lines[at] !== '' && !comment) {
      follows = false
      directive = null
    }
  }
  return blocks
}

/** The text without its fenced and indented blocks. */
export const proseOf = (text) => text.replace(/^(`{3,})\S*\n[^]*?^\1$/gm, '').replace(/^ {4}.*$/gm, '')

/** The part under a heading, down to the next one of the same or a higher level. */
export function sectionOf(text, title) {
  const lines = text.replace(/^(`{3,})\S*\n[^]*?^\1$/gm, (block) => block.replace(/^#/gm, ' ')).split('\n')
  const level = (line) => /^#* /.exec(line)?.[0].length ?? 0
  const from = lines.findIndex((line) => level(line) > 1 && line.replace(/^#+ /, '') === title)
  if (from < 0) throw new Error(`there is no section "${title}"`)
  const length = lines.slice(from + 1).findIndex((line) => level(line) > 1 && level(line) <= level(lines[from]))
  return lines.slice(from + 1, length < 0 ? undefined : from + 1 + length).join('\n')
}

/** The rows of all tables, each a list of cells without their backticks; heads and rules are left out. */
export function rowsOf(text) {
  const rows = []
  const lines = text.split('\n')
  lines.forEach((line, at) => {
    const isRule = /^\|[ :|-]+\|$/.test(line)
    const isHead = /^\|[ :|-]+\|$/.test(lines[at + 1] ?? '')
    if (!line.startsWith('|') || isRule || isHead) return
    const cells = line.slice(1, line.lastIndexOf('|')).split(/(?<!\\)\|/)
    rows.push(cells.map((cell) => cell.trim().replaceAll('`', '').replaceAll('\\|', '|')))
  })
  return rows
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchorsOf(text) {
  const titles = [...proseOf(text).matchAll(/^#+ (.*)$/gm)].map((match) => match[1])
  return titles.map((title) => title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))
}

/** The targets of links, and the words in backticks. */
export const linksOf = (text) => [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1])
export const wordsOf = (text) => [...proseOf(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1])
