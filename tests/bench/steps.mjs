// SPDX-License-Identifier: Apache-2.0
//
// What one message costs, step by step, in instructions: the table of ARCHITECTURE.md, "The way of one message".
//
//     node tests/bench/steps.mjs build/bench_runtime
//
// Each case of the runtime bench is run twice under callgrind, with LESS and with MORE messages; the difference is what
// the messages cost, without the start and the end of the program. Needs valgrind, and a build that is optimised as
// ./x bench does it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const LESS = 20000
const MORE = 60000
const WARM_UP = 1.1 // a tenth of the messages goes first
const CASES = ['ping-pong', 'one-producer', '64-producers', 'call', 'request', 'spawn', 'skynet']
const SHOWN = ['ping-pong', 'one-producer']

// In which step is an instruction of this source file, in this function after inlining? The first that fits.
const STEPS = [
  ['the behavior: read the body, make the arguments of troupe_cast', (file) => /^(cases_|context\.h)/.test(file)],
  ['send: push on the mailbox word (one compare-and-swap)', (file, fn) => /cast/.test(fn) && file === 'mailbox.h'],
  ['send: find the receiver and the type, make the message', (file, fn) => /cast|troupe__(send|find|kind_find)/.test(fn)],
  ['queue the receiver', (file, fn) => /schedule/.test(fn)],
  ['turn: capture what has come; go idle (one compare-and-swap)', (file, fn) => /turn_run/.test(fn) && file === 'mailbox.h'],
  ['turn: free the message', (file, fn) => /turn_run/.test(fn) && /^(pool|message)\.h$/.test(file)],
  ['turn: begin, signals, receive, share, end, statistics', (file, fn) => /turn_run|leave_extra|make_way|next_message|dispatch/.test(fn)],
  ['take the next actor from the queue', (file, fn) => /poll|take_own|next_actor/.test(fn)],
  ['the rest', () => true],
]

// Instructions by "file:function" of a callgrind output file.
function read(path) {
  const costs = new Map()
  const names = new Map()
  let file = ''
  let fn = ''
  let isCall = false
  const named = (kind, text) => {
    const [, id, name] = /^\((\d+)\)(?: (.*))?$/.exec(text)
    const key = kind + id
    if (name !== undefined)
      names.set(key, name)
    return names.get(key)
  }
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const assignment = /^(fl|fi|fe|fn|ob|cob|cfi|cfl|cfn|calls)=(.*)$/.exec(line)
    if (assignment === null) {
      const cost = /^(?:\+\d+|-\d+|\*|\d+) (\d+)$/.exec(line)
      if (cost !== null && !isCall)
        costs.set(`${file}:${fn}`, (costs.get(`${file}:${fn}`) ?? 0) + Number(cost[1]))
      isCall = isCall && cost === null
      continue
    }
    const [, what, text] = assignment
    if (what === 'fl' || what === 'fi' || what === 'fe')
      file = basename(named('file', text))
    else if (what === 'cfi' || what === 'cfl')
      named('file', text)
    else if (what === 'fn')
      fn = named('fn', text)
    else if (what === 'cfn')
      named('fn', text)
    else if (what === 'calls')
      isCall = true
  }
  return costs
}

function run(program, name, messages, folder) {
  const out = join(folder, `${name}.${messages}`)
  execFileSync('valgrind', ['--tool=callgrind', `--callgrind-out-file=${out}`, program, name, '--messages', messages], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return read(out)
}

// Per message, by "file:function".
function measure(program, name, folder) {
  const few = name === 'skynet' ? 10000 : LESS // whole trees
  const many = name === 'skynet' ? 100000 : MORE
  const less = run(program, name, few, folder)
  const more = run(program, name, many, folder)
  const messages = (many - few) * (name === 'skynet' ? 1 : WARM_UP)
  return new Map([...more].map(([key, cost]) => [key, (cost - (less.get(key) ?? 0)) / messages]))
}

function total(costs) {
  return [...costs.values()].reduce((sum, cost) => sum + cost, 0)
}

function bySteps(costs) {
  const sums = STEPS.map(() => 0)
  for (const [key, cost] of costs) {
    const [file, ...fn] = key.split(':')
    sums[STEPS.findIndex(([, fits]) => fits(file, fn.join(':')))] += cost
  }
  return sums
}

const program = process.argv[2] ?? 'build/bench_runtime'
const folder = mkdtempSync(join(tmpdir(), 'troupe-steps-'))
try {
  const measured = new Map(CASES.map((name) => [name, measure(program, name, folder)]))
  const columns = SHOWN.map((name) => bySteps(measured.get(name)))
  console.log(`| step | ${SHOWN.join(' | ')} |\n|---|${'---|'.repeat(SHOWN.length)}`)
  STEPS.forEach(([words], i) => console.log(`| ${words} | ${columns.map((sums) => sums[i].toFixed(0)).join(' | ')} |`))
  console.log(`| **together** | ${SHOWN.map((name) => `**${total(measured.get(name)).toFixed(0)}**`).join(' | ')} |\n`)
  console.log('| case | instructions |\n|---|---|')
  for (const [name, costs] of measured)
    console.log(`| ${name} | ${total(costs).toFixed(0)} |`)
} finally {
  rmSync(folder, { recursive: true })
}
