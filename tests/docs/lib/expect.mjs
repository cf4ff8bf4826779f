// SPDX-License-Identifier: Apache-2.0
//
// Does an output look as the document says? Two forms, by the language of the expected block:
//
//   text   line by line, without empty lines. `...` stands for anything within a line; a line that is only `...` for
//          any number of lines.
//   json   the output is one JSON document. `...` as a value is any value; as the last member or item, any more of
//          them. Strings are compared as lines of text are.
//
// What differs from run to run is written as an example and compared by its form: ids, the address of the node, times.

const forms = [
  [/n\.[0-9a-z]{13}\.[0-9a-f]+\.[0-9a-f]+/, 'n\\.[0-9a-z]{13}\\.[0-9a-f]+\\.[0-9a-f]+'], // an actor
  [/n\.[0-9a-z]{13}/, 'n\\.[0-9a-z]{13}'], // a node
  [/c\.[0-9a-z]{13}/, 'c\\.[0-9a-z]{13}'], // a cluster
  [/127\.0\.0\.1:[1-9]\d{3,4}/, '127\\.0\\.0\\.1:\\d+'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'],
  [/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/, '\\w{3}, \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT'],
  [/\.\.\./, '.*'],
]
const anyForm = new RegExp(forms.map(([form]) => `(${form.source})`).join('|'), 'g')

/** The pattern for a line that is written as an example. */
export function patternOf(example) {
  let pattern = ''
  let from = 0
  for (const match of example.matchAll(anyForm)) {
    const form = match.slice(1).findIndex((one) => one !== undefined)
    pattern += escaped(example.slice(from, match.index)) + forms[form][1]
    from = match.index + match[0].length
  }
  return new RegExp(`^${pattern}${escaped(example.slice(from))}$`, 's')
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')

/** null when the output fits, else words that say where it does not. */
export function misfit(language, expected, output) {
  if (language === 'text') return textMisfit(linesOf(expected), linesOf(output))
  try {
    return jsonMisfit(parse(expected), JSON.parse(output), 'the document')
  } catch (error) {
    if (error instanceof SyntaxError) return `${error.message}`
    throw error
  }
}

const linesOf = (text) => text.split(/\r?\n/).filter((line) => line !== '')

function textMisfit(expected, lines) {
  let at = 0
  for (let i = 0; i < expected.length; i++) {
    if (expected[i] === '...') {
      const rest = expected.slice(i + 1)
      for (let from = at; from <= lines.length; from++) if (textMisfit(rest, lines.slice(from)) === null) return null
      return `nothing in the output fits what stands behind\n  ${expected.slice(0, i + 1).join('\n  ')}`
    }
    if (at === lines.length) return `the output ends before the line\n  ${expected[i]}`
    if (!patternOf(expected[i]).test(lines[at])) return `a line should be\n  ${expected[i]}\nbut is\n  ${lines[at]}`
    at++
  }
  return at === lines.length ? null : `the output goes on: ${lines[at]}`
}

const any = '\0any'
const more = '\0more'

/** JSON with `...` in it. */
function parse(text) {
  let isInText = false
  const open = []
  let out = ''
  for (let at = 0; at < text.length; at++) {
    const c = text[at]
    if (isInText) {
      if (c === '\\') out += text[at++]
      else if (c === '"') isInText = false
    } else if (c === '"') {
      isInText = true
    } else if (c === '{' || c === '[') {
      open.push(c)
    } else if (c === '}' || c === ']') {
      open.pop()
    } else if (text.startsWith('...', at)) {
      const isValue = /:\s*$/.test(out)
      out += isValue ? JSON.stringify(any) : open.at(-1) === '{' ? `${JSON.stringify(more)}:0` : JSON.stringify(more)
      at += 2
      continue
    }
    out += text[at]
  }
  return JSON.parse(out)
}

function jsonMisfit(expected, value, where) {
  if (expected === any) return null
  if (Array.isArray(expected)) return listMisfit(expected, value, where)
  if (expected !== null && typeof expected === 'object') return objectMisfit(expected, value, where)
  const areTexts = typeof expected === 'string' && typeof value === 'string'
  const fits = areTexts ? patternOf(expected).test(value) : expected === value
  return fits ? null : `${where} should be ${JSON.stringify(expected)} but is ${JSON.stringify(value)}`
}

function listMisfit(expected, value, where) {
  if (!Array.isArray(value)) return `${where} should be a list but is ${JSON.stringify(value)}`
  const items = expected.filter((item) => item !== more)
  const isOpen = items.length < expected.length
  if (isOpen ? value.length < items.length : value.length !== items.length) {
    return `${where} should have ${items.length} items but has ${value.length}`
  }
  return firstOf(items.map((item, i) => () => jsonMisfit(item, value[i], `${where}[${i}]`)))
}

function objectMisfit(expected, value, where) {
  const isObject = value !== null && typeof value === 'object' && !Array.isArray(value)
  if (!isObject) return `${where} should be an object but is ${JSON.stringify(value)}`
  const keys = Object.keys(expected).filter((key) => key !== more)
  const unknown = Object.keys(value).find((key) => !keys.includes(key))
  if (!(more in expected) && unknown !== undefined) return `${where} has a member that is not expected: ${unknown}`
  const missing = keys.find((key) => !(key in value))
  if (missing !== undefined) return `${where} has no member ${missing}`
  return firstOf(keys.map((key) => () => jsonMisfit(expected[key], value[key], `${where}.${key}`)))
}

function firstOf(checks) {
  for (const check of checks) {
    const misfit = check()
    if (misfit !== null) return misfit
  }
  return null
}
