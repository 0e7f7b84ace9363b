/** @import { Greeting, Update, CacheUpdate, Sample, RefillReport, FailureReport } from '../report.ts' */

/** What is remembered, as the server remembers it. */
const SAMPLES = 300
const REFILLS = 600
const FAILURES = 50

/**
 * What is known of one cache.
 * @typedef {object} CacheModel
 * @property {string} name
 * @property {Sample[]} samples
 * @property {RefillReport[]} refills
 * @property {FailureReport[]} failures
 * @property {CacheUpdate | undefined} now
 */

export class Model {
  /** @type {Greeting | undefined} */
  greeting
  /** @type {CacheModel[]} */
  caches = []
  /** ms since 1970 on the server's clock. */
  at = 0

  /** @param {Greeting} greeting */
  greet(greeting) {
    this.greeting = greeting
    this.caches = greeting.caches.map(({ name, samples, refills, failures }) => {
      return { name, samples: [...samples], refills: [...refills], failures: [...failures], now: undefined }
    })
  }

  /** @param {Update} update */
  update({ at, caches }) {
    this.at = at
    for (const [i, cache] of this.caches.entries()) {
      const now = caches[i]
      if (now === undefined) continue
      cache.now = now
      if (now.sample !== undefined) add(cache.samples, [now.sample], SAMPLES)
      add(cache.refills, now.refills, REFILLS)
      add(cache.failures, now.failures, FAILURES)
    }
  }
}

/**
 * @template T
 * @param {T[]} list
 * @param {readonly T[]} items
 * @param {number} most
 */
function add(list, items, most) {
  list.push(...items)
  if (list.length > most) list.splice(0, list.length - most)
}

/** Calls that were answered in a sample. @param {Sample} sample */
export function answersOf({ hits, staleHits, misses, coalesced }) {
  return hits + staleHits + misses + coalesced
}

/** Share of them that had not to wait for a load; NaN without calls. @param {Sample} sample */
export function ratioOf(sample) {
  return (sample.hits + sample.staleHits) / answersOf(sample)
}
