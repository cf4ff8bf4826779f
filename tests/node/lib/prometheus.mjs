// SPDX-License-Identifier: Apache-2.0
//
// A strict reader of the Prometheus text format 0.0.4, the part that the node writes. Throws at what a scraper would
// refuse or misread.

const types = ['counter', 'gauge', 'histogram', 'summary', 'untyped']
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/
const number = /^[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf|NaN)$/

/** Families by name: {name, help, type, samples: [{name, labels, value}]}. */
export function parseMetrics(text) {
  const families = new Map()
  const seen = new Set()
  let family = null
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line)
    if (comment) {
      const [, kind, name, rest] = comment
      if (family?.name !== name) {
        if (families.has(name)) throw new Error(`${name} comes in two places`)
        family = { name, help: '', type: '', samples: [] }
        families.set(name, family)
      }
      if (kind === 'HELP') family.help = rest
      else if (types.includes(rest)) family.type = rest
      else throw new Error(`${name} has the type ${rest}`)
      continue
    }
    const sample = sampleLine.exec(line)
    if (!sample || !number.test(sample[3])) throw new Error(`not a sample: ${line}`)
    const [, name, labels = '', value] = sample
    if (!family?.type || !isOf(name, family)) throw new Error(`${name} has no TYPE before it`)
    if (seen.has(`${name}{${labels}}`)) throw new Error(`${name}{${labels}} comes twice`)
    seen.add(`${name}{${labels}}`)
    family.samples.push({ name, labels, value: Number(value.replace('Inf', 'Infinity')) })
  }
  return families
}

function isOf(name, family) {
  if (name === family.name) return family.type !== 'histogram'
  return (
    ['histogram', 'summary'].includes(family.type) &&
    ['_bucket', '_sum', '_count'].some((end) => name === family.name + end)
  )
}
