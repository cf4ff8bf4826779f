// SPDX-License-Identifier: Apache-2.0
//
// Behaviors of one's own: what is loaded, what is refused and how that is told, and what loading again does to actors
// that run.

import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

import { compile, sourceOf } from './lib/plugin.mjs'
import { run, start, temporaryFolder } from './lib/trouped.mjs'
import { eventually } from './lib/wait.mjs'

const USAGE = 2

/** Start a node with a file made of this source; node.file is it. */
async function startWith(t, source) {
  const folder = temporaryFolder(t)
  const file = compile(folder, 'speaker', source)
  const node = await start(t, ['--behavior', file], { folder })
  node.file = file
  node.say = async (ref) => (await node.request('POST', `/v1/actors/${ref}/call/say`, { json: { word: 'x' } })).json
  return node
}

/** SIGHUP, and wait for a new line of the log that fits. */
async function reload(node, fits) {
  const seen = node.stderr.length
  node.signalTo('SIGHUP')
  return node.line((line) => node.stderr.indexOf(line, seen) >= 0 && fits.test(line), 'stderr')
}

// ---- loading ----

test('a behavior of a file is spawned, called and listed, with where it came from', async (t) => {
  const node = await startWith(t, sourceOf())
  const before = (await node.request('GET', '/v1/behaviors/speaker')).json
  assert.equal(before.file, 'speaker.so')
  assert.ok(Math.abs(Date.parse(before.loaded_at) - Date.now()) < 600_000, before.loaded_at)
  assert.deepEqual({ actors: before.actors, older: before.older }, { actors: 0, older: [] })
  const { ref } = await node.spawn('speaker')
  assert.equal(await node.say(ref), '1.0.0')
  assert.equal((await node.request('GET', '/v1/behaviors/speaker')).json.actors, 1)
  const { items } = (await node.request('GET', '/v1/behaviors')).json
  assert.deepEqual(items.filter((item) => item.file).map((item) => item.name), ['speaker'])
  assert.ok(items.find((item) => item.name === 'counter').loaded_at)
})

test('all that <troupe/...> declares for behaviors is there for a file that calls it', async (t) => {
  const before = `#include <troupe/json.h>
static int init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    char text[64];
    troupe_json_writer writer;
    (void)state, (void)args;
    troupe_json_write_init(&writer, text, sizeof text);
    troupe_json_write_double(&writer, 0.5);
    troupe_free(troupe_alloc(10));
    troupe_log(ctx, TROUPE_LOG_INFO, troupe_exit_word(TROUPE_EXIT_NORMAL));
    return troupe_publish(ctx, "born", troupe_body_json(text, troupe_json_write_length(&writer)));
}`
  const node = await startWith(t, sourceOf({ before, more: '.init = init' }))
  assert.equal(await node.say((await node.spawn('speaker')).ref), '1.0.0')
})

test('a state that is a page is not run as one of the node', async (t) => {
  const folder = temporaryFolder(t)
  const before = `static int view(troupe_ctx *ctx, const void *state)
{
    static const char page[] = "<script>alert(1)</script>";
    (void)state;
    return troupe_reply(ctx, troupe_body_bytes(page, sizeof page - 1, "text/html"));
}`
  const node = await start(t, ['--behavior', compile(folder, 'page', sourceOf({ before, more: '.view = view' }))], { folder })
  const { ref } = await node.spawn('speaker')
  const { status, headers } = await node.request('GET', `/v1/actors/${ref}/state`)
  assert.deepEqual([status, headers.get('content-type')], [200, 'text/html'])
  assert.match(headers.get('content-security-policy'), /sandbox/)
  assert.equal(headers.get('x-content-type-options'), 'nosniff')
})

test('of a directory every .so is loaded, and nothing else', async (t) => {
  const folder = temporaryFolder(t)
  const plugins = path.join(folder, 'plugins')
  mkdirSync(plugins)
  for (const name of ['beta', 'alpha']) compile(plugins, name, sourceOf({ name }))
  writeFileSync(path.join(plugins, '.hidden.so'), 'no')
  const node = await start(t, ['--behavior', plugins], { folder })
  const { items } = (await node.request('GET', '/v1/behaviors')).json
  assert.deepEqual(items.filter((item) => item.file).map((item) => item.file), ['alpha.so', 'beta.so'])
})

test('a table as it was in the first release is taken, and the fields that it does not have are empty', async (t) => {
  const end = `static troupe_behavior old;
static const troupe_behavior *const list[] = {&old};
const troupe_export troupe_exported_behaviors = {TROUPE_EXPORT_MAGIC, TROUPE_BEHAVIOR_ABI, TROUPE_BEHAVIOR_BYTES_MIN,
    sizeof(troupe_type), 1, list};
__attribute__((constructor)) static void make(void)
{
    __builtin_memset(&old, 0xff, sizeof old);
    __builtin_memcpy(&old, &behavior, TROUPE_BEHAVIOR_BYTES_MIN);
    old.size = TROUPE_BEHAVIOR_BYTES_MIN;
}`
  const node = await startWith(t, sourceOf({ end }))
  assert.equal((await node.request('GET', '/v1/behaviors/speaker')).json.args_schema, null)
  assert.equal(await node.say((await node.spawn('speaker', { args: [1] })).ref), '1.0.0')
})

test('--behavior can be given again, and in the environment with commas', async (t) => {
  const folder = temporaryFolder(t)
  const [a, b] = ['a', 'b'].map((name) => compile(folder, name, sourceOf({ name })))
  const node = await start(t, [], { folder, env: { TROUPE_BEHAVIOR: `${a},${b}` } })
  const files = async (one) => (await one.request('GET', '/v1/behaviors')).json.items.flatMap(({ file }) => file ?? [])
  assert.deepEqual(await files(node), ['a.so', 'b.so'])
  assert.deepEqual(await files(await start(t, ['--behavior', b, '--behavior', a])), ['b.so', 'a.so'])
  const printed = await run(t, ['--print-config', '--behavior', a, '--behavior', b]).untilExit()
  assert.ok(printed.stdout.includes(`\nbehavior = ${a},${b}\n`), printed.stdout)
})

// ---- refusals ----

/** The file is refused at the start: with USAGE and one line that names it. */
async function assertRefused(t, file, folder, words) {
  const { code, stdout, stderr } = await run(t, ['--behavior', file], { folder }).untilExit()
  const line = stderr.trimEnd().split('\n').at(-1)
  assert.equal(code, USAGE, stderr)
  assert.equal(stdout, '')
  assert.ok(line.startsWith(`trouped: --behavior: ${file}`), line)
  assert.match(line, words)
}

const refusesSource = (what, source, words, options) => test(`refused: ${what}`, async (t) => {
  const folder = temporaryFolder(t)
  await assertRefused(t, compile(folder, 'x', source, options), folder, words)
})

const refusesFile = (what, make, words) => test(`refused: ${what}`, async (t) => {
  const folder = temporaryFolder(t)
  const file = path.join(folder, 'x.so')
  make(file, folder)
  await assertRefused(t, file, folder, words)
})

refusesFile('a file that is missing', () => {}, /cannot be opened: No such file/)
refusesFile('a file that is not ELF', (file) => writeFileSync(file, 'int main;\n'), /not a shared object; make one with: cc/)
refusesFile('an empty file', (file) => writeFileSync(file, ''), /it is empty/)
refusesFile('a file that ends early', (file, folder) => {
  compile(folder, 'x', sourceOf())
  truncateSync(file, Math.floor(statSync(file).size / 4))
}, /ends early; was it being written/)
refusesFile('a file that everybody may write', (file, folder) => {
  compile(folder, 'x', sourceOf())
  chmodSync(file, 0o757)
}, /everybody may write it/)
refusesFile('a file that is no file', (file) => mkdirSync(path.join(file, 'x.so'), { recursive: true }), /it is no file/)
refusesFile('a file for another machine', (file, folder) => {
  compile(folder, 'x', sourceOf())
  const bytes = readFileSync(file)
  bytes[18] ^= 0x55 // e_machine
  writeFileSync(file, bytes)
}, /another machine/)
refusesSource('an object that was not linked', sourceOf(), /not a shared object but an object/, { output: 'x.so', flags: ['-c'] })
refusesSource('a shared object without the symbol', 'int nothing;', /exports no behaviors; end its source with/)
refusesSource('a symbol that is something else', 'const int troupe_exported_behaviors[16] = {1};', /is something else/)
refusesSource('another ABI, with both versions and the remedy',
  sourceOf({ before: '#undef TROUPE_BEHAVIOR_ABI\n#define TROUPE_BEHAVIOR_ABI 999u' }),
  /version 999 of the behavior ABI, and this node has version \d+; compile it against the headers of this node/)
refusesSource('tables that are too small',
  sourceOf({ end: 'const troupe_export troupe_exported_behaviors = {TROUPE_EXPORT_MAGIC, TROUPE_BEHAVIOR_ABI, 8, 8, 1, 0};\nconst void *const used = &behavior;' }),
  /its tables have 8 and 8 bytes, and those of this ABI at least \d+ and \d+/)
refusesSource('no behaviors in it',
  sourceOf({ end: `const troupe_export troupe_exported_behaviors = {TROUPE_EXPORT_MAGIC, TROUPE_BEHAVIOR_ABI,
    sizeof(troupe_behavior), sizeof(troupe_type), 0, 0};
const void *const used = &behavior;` }), /exports 0 behaviors, and a file has 1 to 64/)
refusesSource('a table that uses fields of a newer header', sourceOf({ end: `
static const struct { troupe_behavior behavior; long more; } newer = {{.abi = TROUPE_BEHAVIOR_ABI, .size = sizeof newer,
    .name = "newer", .version = "1", .receive = receive}, 1};
static const troupe_behavior *const list[] = {&newer.behavior};
const void *const used = &behavior;
const troupe_export troupe_exported_behaviors = {TROUPE_EXPORT_MAGIC, TROUPE_BEHAVIOR_ABI, sizeof newer,
    sizeof(troupe_type), 1, list};` }), /its behavior 1, newer: it uses fields of a newer header/)
refusesSource('a table without its head', sourceOf({ more: '.abi = 7' }), /TROUPE_BEHAVIOR_HEAD/,
  { flags: ['-shared', '-fPIC', '-Wno-override-init'] })
refusesSource('a name that a standard behavior has', sourceOf({ name: 'counter' }), /has a behavior counter already/)
refusesSource('a name twice', sourceOf({ end: 'TROUPE_EXPORT_BEHAVIORS(&behavior, &behavior);' }), /has a behavior speaker already/)
refusesSource('a bad name', sourceOf({ name: 'two words' }), /its name is 1 to 64 of/)
refusesSource('no receive', sourceOf({ more: '.receive = 0' }), /speaker: it has no receive/,
  { flags: ['-shared', '-fPIC', '-Wno-override-init', '-Wno-unused-function'] })
refusesSource('a message type twice', sourceOf({ types: '{.name = "say"},' }), /speaker: it has a message type twice/)
refusesSource('a message type with a bad name', sourceOf({ types: '{.name = ""},' }), /the name of a message type/)
refusesSource('a schema that is not JSON', sourceOf({ schema: '{"type":' }), /the body_schema of say is wrong: the schema is not JSON/)
refusesSource('a schema with an unknown type, with the path in it',
  sourceOf({ schema: { properties: { a: { items: { type: 'text' } } } } }),
  /the body_schema of say is wrong at \/properties\/a\/items\/type: a type is null, boolean/)
refusesSource('args_schema with a keyword that would not be checked', sourceOf({ args: { patternProperties: {} } }),
  /the args_schema of speaker is wrong at \/patternProperties: the keyword patternProperties is not in the subset/)
refusesSource('a function that the node does not have',
  sourceOf({ before: 'int troupe_nothing(void);\nint use(void);\nint use(void) { return troupe_nothing(); }' }),
  /needs troupe_nothing, which neither this node/)
refusesSource('a function that is not public',
  sourceOf({ before: 'int troupe__is_word(void);\nint use(void);\nint use(void) { return troupe__is_word(); }' }),
  /needs troupe__is_word/)

test('refused: one bad file in a directory, and it is named', async (t) => {
  const folder = temporaryFolder(t)
  const plugins = path.join(folder, 'plugins')
  mkdirSync(plugins)
  compile(plugins, 'a', sourceOf({ name: 'a' }))
  writeFileSync(path.join(plugins, 'b.so'), 'no')
  await assertRefused(t, plugins, folder, /plugins\/b\.so: it is not a shared object/)
})

// ---- loading again ----

test('SIGHUP: new actors are of the new version, those that live keep theirs until they end', async (t) => {
  const node = await startWith(t, sourceOf({ version: '1.0.0' }))
  const old = await node.spawn('speaker')
  compile(node.folder, 'speaker', sourceOf({ version: '2.0.0' })) // in place, under the running code
  assert.equal(await node.say(old.ref), '1.0.0')
  await reload(node, /a behavior was loaded again.*2\.0\.0/)
  const young = await node.spawn('speaker')
  assert.equal(await node.say(old.ref), '1.0.0')
  assert.equal(await node.say(young.ref), '2.0.0')
  const { version, actors, older } = (await node.request('GET', '/v1/behaviors/speaker')).json
  assert.deepEqual({ version, actors }, { version: '2.0.0', actors: 1 })
  assert.deepEqual(older.map((item) => [item.version, item.actors]), [['1.0.0', 1]])
  const listed = (await node.request('GET', '/v1/behaviors')).json.items.filter((item) => item.name === 'speaker')
  assert.equal(listed.length, 1)
  const told = (await node.request('GET', '/v1/node')).json.behaviors.filter((item) => item.name === 'speaker')
  assert.deepEqual(told, [{ name: 'speaker', version: '2.0.0' }])
  const { text } = await node.request('GET', '/metrics')
  assert.deepEqual(text.match(/^troupe_behavior_actors\{behavior="speaker"\} .*$/gm), ['troupe_behavior_actors{behavior="speaker"} 2'])
  assert.equal((await node.request('GET', `/v1/actors/${old.ref}`)).json.version, '1.0.0')
  assert.equal((await node.request('DELETE', `/v1/actors/${old.ref}`)).status, 204)
  assert.deepEqual((await node.request('GET', '/v1/behaviors/speaker')).json.older, [])
})

test('a restart after SIGHUP is of the new version', async (t) => {
  const node = await startWith(t, sourceOf({ version: '1.0.0' }))
  await node.spawn('speaker', { name: 'phoenix', restart: 'permanent' })
  compile(node.folder, 'speaker', sourceOf({ version: '2.0.0' }))
  await reload(node, /loaded again/)
  assert.equal(await node.say('@phoenix'), '1.0.0')
  assert.equal((await node.request('POST', '/v1/actors/@phoenix/cast/crash')).status, 202)
  await eventually(async () => (await node.say('@phoenix')) === '2.0.0', 'the restart with the new version')
})

test('each version has its own schema', async (t) => {
  const node = await startWith(t, sourceOf({ schema: { required: ['a'], properties: { a: {} } } }))
  const old = await node.spawn('speaker')
  compile(node.folder, 'speaker', sourceOf({ schema: { required: ['b'], properties: { b: {} } } }))
  await reload(node, /loaded again/)
  const young = await node.spawn('speaker')
  const ask = async ({ ref }, json) => (await node.request('POST', `/v1/actors/${ref}/call/say`, { json })).json
  assert.equal((await ask(old, { b: 1 })).field, '/a')
  assert.equal((await ask(young, { a: 1 })).field, '/b')
  assert.equal(await ask(old, { a: 1 }), '1.0.0')
})

test('SIGHUP with a file as it was, or only touched, loads nothing', async (t) => {
  const node = await startWith(t, sourceOf())
  const { loaded_at: loadedAt } = (await node.request('GET', '/v1/behaviors/speaker')).json
  await reload(node, /no behavior was loaded: their files are as they were/)
  utimesSync(node.file, 1, 1)
  await reload(node, /no behavior was loaded: their files are as they were/)
  assert.equal((await node.request('GET', '/v1/behaviors/speaker')).json.loaded_at, loadedAt)
})

test('SIGHUP with a file that is refused leaves what was loaded, and the log says why', async (t) => {
  const node = await startWith(t, sourceOf())
  const bad = [
    [() => writeFileSync(node.file, 'no'), /speaker\.so: it is not a shared object.*what was loaded before stays/],
    [() => compile(node.folder, 'speaker', sourceOf({ schema: { type: 'x' } })), /body_schema of say is wrong/],
    [() => compile(node.folder, 'speaker', sourceOf({ name: 'kv' })), /has a behavior kv already/],
    [() => rmSync(node.file), /cannot be opened/],
  ]
  for (const [spoil, words] of bad) {
    spoil()
    await reload(node, words)
    assert.equal(await node.say((await node.spawn('speaker')).ref), '1.0.0')
  }
  compile(node.folder, 'speaker', sourceOf({ version: '3.0.0' }))
  await reload(node, /loaded again/)
  assert.equal(await node.say((await node.spawn('speaker')).ref), '3.0.0')
})

test('SIGHUP loads what has come into a directory, and keeps what has left it', async (t) => {
  const folder = temporaryFolder(t)
  const plugins = path.join(folder, 'plugins')
  mkdirSync(plugins)
  const node = await start(t, ['--behavior', plugins], { folder })
  const names = async () => (await node.request('GET', '/v1/behaviors')).json.items
    .filter((item) => item.file).map((item) => item.name)
  assert.deepEqual(await names(), [])
  const file = compile(plugins, 'late', sourceOf({ name: 'late' }))
  await reload(node, /a behavior was loaded.*late/)
  assert.deepEqual(await names(), ['late'])
  rmSync(file)
  await reload(node, /no behavior was loaded/)
  assert.deepEqual(await names(), ['late'])
})

test('the other nodes are told what a node has loaded', async (t) => {
  const node = await startWith(t, sourceOf())
  const versions = async () => (await node.request('GET', `/v1/nodes/${node.ready.node}`)).json.behaviors
    .filter((behavior) => behavior.name === 'speaker').map((behavior) => behavior.version)
  assert.deepEqual(await versions(), ['1.0.0'])
  compile(node.folder, 'speaker', sourceOf({ version: '2.0.0' }))
  await reload(node, /loaded again/)
  await eventually(async () => (await versions()).join() === '2.0.0', 'the new version in the member list')
})

test('loading again under load: every call is answered by one of the versions, and no actor changes its own', async (t) => {
  const VERSIONS = 8
  const node = await startWith(t, sourceOf({ version: '0' }))
  const own = new Map() // ref -> version
  let isOver = false
  const client = async () => {
    for (let i = 0; !isOver || i < 20; i++) {
      const { ref } = await node.spawn('speaker')
      own.set(ref, await node.say(ref))
      for (const known of [...own.keys()].slice(-5)) {
        const version = await node.say(known)
        if (own.get(known) !== undefined) assert.equal(version, own.get(known), known)
      }
    }
  }
  const clients = Array.from({ length: 4 }, client)
  for (let version = 1; version <= VERSIONS; version++) {
    compile(node.folder, 'speaker', sourceOf({ version: String(version) }))
    await reload(node, new RegExp(`loaded again.*"${version}"`))
  }
  isOver = true
  await Promise.all(clients)
  assert.ok([...own.values()].includes(String(VERSIONS)))
  const { version, actors, older } = (await node.request('GET', '/v1/behaviors/speaker')).json
  assert.equal(version, String(VERSIONS))
  assert.equal(actors + older.reduce((sum, item) => sum + item.actors, 0), own.size)
})

test('SIGHUP without --tokens and --behavior says that there is nothing to load', async (t) => {
  const node = await start(t)
  await reload(node, /no --tokens file and no --behavior/)
})
