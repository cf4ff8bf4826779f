// SPDX-License-Identifier: Apache-2.0
//
// The standard behaviors in wasm: the conformance table on virtual time, and what only this host promises: its
// imports, its memory, its traps. TROUPE_WASM names the module, build/actors.wasm otherwise.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { cases, runCase } from '../conformance/run.mjs'
import { WasmHost, loadModule } from './host.mjs'

const module = loadModule()

for (const entry of cases) {
  test(entry.name, async () => {
    const host = new WasmHost(module)
    await runCase(host, entry)
    host.close()
    assert.equal(host.heapBytes(), 0, 'the heap is empty after the end of the system')
  })
}

test('the module imports exactly done and log', () => {
  const names = WebAssembly.Module.imports(module).map(({ module: from, name, kind }) => `${from}.${name} ${kind}`)
  assert.deepEqual(names.sort(), ['env.done function', 'env.log function'])
})

test('the module exports its memory, its interface and nothing else', () => {
  const names = WebAssembly.Module.exports(module).map(({ name }) => name)
  assert.deepEqual(names.filter((name) => name !== 'memory' && !name.startsWith('troupe_wasm_')), [])
  assert.ok(names.includes('memory'))
})

test('memory goes back to its baseline when actors end', async () => {
  const host = new WasmHost(module)
  const generation = async () => {
    const refs = []
    for (let i = 0; i < 500; i++) {
      const { ref } = await host.spawn({ behavior: 'kv', name: `kv-${i}` })
      await host.call(ref, { type: 'put', body: JSON.stringify({ key: `k${i}`, value: 'v'.repeat(i * 7) }) })
      refs.push(ref)
    }
    assert.equal(host.actors(), 500)
    const most = host.heapBytes()
    for (const ref of refs) assert.equal((await host.stop(ref)).error, undefined)
    assert.equal(host.actors(), 0)
    return { most, left: host.heapBytes(), memory: host.exports.memory.buffer.byteLength }
  }
  const first = await generation() // also fills the pools that are kept for reuse
  const second = await generation()
  const third = await generation()
  assert.ok(second.most - second.left > 500 * 1000, 'the actors held memory')
  assert.deepEqual([third.left, third.memory], [second.left, second.memory])
  assert.ok(second.left <= first.most)
  host.close()
  assert.equal(host.heapBytes(), 0)
})

test('the heap joins what is freed and overlaps nothing', () => {
  const host = new WasmHost(module)
  const baseline = host.heapBytes()
  const live = []
  let most = 0
  let seed = 20_240_229
  const random = (bound) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % bound
  }
  const release = (index) => {
    const [ptr, len, tag] = live[index]
    const bytes = new Uint8Array(host.exports.memory.buffer, ptr, len)
    assert.ok(bytes.every((byte) => byte === tag), 'a block holds what was written to it')
    host.free(ptr, len)
    live[index] = live.at(-1)
    live.pop()
  }
  for (let i = 0; i < 20_000; i++) {
    if (live.length < 400 && random(100) < 55) {
      const len = random(20) === 0 ? 1 + random(30_000) : 1 + random(300)
      const ptr = host.alloc(len)
      assert.equal(ptr % 16, 0)
      const tag = random(256)
      new Uint8Array(host.exports.memory.buffer, ptr, len).fill(tag)
      live.push([ptr, len, tag])
      most = Math.max(most, host.heapBytes() - baseline)
    } else if (live.length > 0) {
      release(random(live.length))
    }
  }
  while (live.length > 0) release(live.length - 1)
  assert.equal(host.heapBytes(), baseline)

  // All that was free in pieces is one piece again: a block of almost all of it needs no new memory.
  const size = host.exports.memory.buffer.byteLength
  const large = Math.floor(most * 0.9)
  host.free(host.alloc(large), large)
  assert.equal(host.exports.memory.buffer.byteLength, size)
  host.close()
})

test('an exhausted memory is an error, not a trap', async () => {
  const host = new WasmHost(module)
  const { ref } = await host.spawn({ behavior: 'counter' })
  host.failAfter(1)
  assert.throws(() => host.alloc(16), /no memory/)
  assert.throws(() => host.alloc(0x7fff_ffff), /no memory/)
  let failures = 0
  for (let n = 1; ; n++) {
    host.failAfter(n)
    const result = await host.spawn({ behavior: 'kv', args: { keys_max: 5 } }).catch((error) => ({ error }))
    if (!result.error) break
    failures++
    assert.ok(n < 200, 'a spawn ends after a bounded number of allocations')
  }
  host.failAfter(0)
  assert.ok(failures > 0)
  assert.equal((await host.call(ref, { type: 'add' })).body, '{"value":1}')
  host.close()
  assert.equal(host.heapBytes(), 0)
})

test('a trap is reported, and ends the instance for good', async () => {
  const host = new WasmHost(module)
  const [first, second] = [host.alloc(100), host.alloc(100), host.alloc(100)]
  host.free(first, 100)
  host.free(second, 100) // and is one block with the first now
  assert.throws(() => host.free(second, 100), WebAssembly.RuntimeError)
  await assert.rejects(host.spawn({ behavior: 'counter' }), WebAssembly.RuntimeError)
  assert.throws(() => host.poll(), WebAssembly.RuntimeError)

  const other = new WasmHost(module)
  assert.ok((await other.spawn({ behavior: 'counter' })).ref, 'another instance knows nothing of it')
  const third = other.alloc(100)
  assert.throws(() => other.free(third, 1000), WebAssembly.RuntimeError)
})

test('a system that ends with open requests and living actors leaves nothing', async () => {
  const host = new WasmHost(module)
  const { ref } = await host.spawn({ behavior: 'faulty' })
  await host.spawn({ behavior: 'ticker', args: { to: ref, type: 'noop', period_ms: 10 } })
  await host.call(ref, { type: 'child', body: '{"restart":"permanent"}' })
  await host.cast(ref, { type: 'flood', body: '{"count":1000}' })
  host.close()
  assert.equal(host.heapBytes(), 0)
})

test('what an actor logs reaches the host', async () => {
  const host = new WasmHost(module)
  const { ref } = await host.spawn({ behavior: 'counter' })
  assert.deepEqual(await host.cast(ref, { type: 'add', body: '{"by":true}' }), {})
  await host.pass(0)
  assert.equal(host.logs.length, 1)
  assert.equal(host.logs[0].level, 0)
  assert.match(host.logs[0].text, /^by: /)
  host.close()
})

test('a bad argument of an export is refused', async () => {
  const host = new WasmHost(module)
  assert.equal((await host.call('@nobody', { type: 'get' })).error.code, 'not_found')
  assert.equal((await host.call('no reference', { type: 'get' })).error.code, 'bad_reference')
  assert.equal((await host.cast('@nobody', { type: 'get' })).error.code, 'not_found')
  assert.equal((await host.stop('@nobody')).error.code, 'not_found')
  assert.equal((await host.spawn({ behaviour: 'counter' })).error.code, 'schema')
  assert.ok((await host.spawn([])).error)
  const { ref } = await host.spawn({ behavior: 'echo' })
  assert.equal((await host.call(ref, { type: 'echo', contentType: 'x'.repeat(128) })).error.code, 'too_large')
  assert.equal((await host.call(ref, { type: 'x'.repeat(65) })).error !== undefined, true)
  host.close()
})
