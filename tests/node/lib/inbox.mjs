// SPDX-License-Identifier: Apache-2.0
//
// What has arrived and was not looked at yet, in order; with waiting for the first that fits.

import { DEADLINE_MS, deferred, within } from './wait.mjs'

/** Does it have all these members with these values? A function is asked instead. */
function fitter(wanted) {
  if (typeof wanted === 'function') return wanted
  const members = Object.entries(wanted)
  return (item) => members.every(([name, value]) => item[name] === value)
}

export class Inbox {
  #items = []
  #waiting = new Set()
  #end = null

  /** Something arrived. */
  put(item) {
    for (const waiter of this.#waiting) {
      if (!waiter.fits(item)) continue
      this.#waiting.delete(waiter)
      waiter.resolve(item)
      return
    }
    this.#items.push(item)
  }

  /** Nothing more comes; whoever waits is told why. */
  end(why) {
    if (this.#end) return
    this.#end = why
    for (const waiter of this.#waiting) waiter.reject(new Error(why))
    this.#waiting.clear()
  }

  /** What is there and was not taken. */
  get items() {
    return [...this.#items]
  }

  /** Take the first item that fits; wait for it if need be. `wanted` is a function or members of the item. */
  async take(wanted, deadlineMs = DEADLINE_MS) {
    const fits = fitter(wanted)
    const at = this.#items.findIndex(fits)
    if (at >= 0) return this.#items.splice(at, 1)[0]
    const what = `an item that fits ${typeof wanted === 'function' ? wanted : JSON.stringify(wanted)}`
    if (this.#end) throw new Error(`${this.#end}, instead of ${what}; there are ${this.#told()}`)
    const waiter = { fits, ...deferred() }
    this.#waiting.add(waiter)
    try {
      return await within(waiter.promise, what, deadlineMs)
    } catch (error) {
      error.message += `; there are ${this.#told()}`
      throw error
    } finally {
      this.#waiting.delete(waiter)
    }
  }

  #told() {
    return JSON.stringify(this.#items.slice(0, 20)).slice(0, 2000)
  }
}
