/** @import { CacheUpdate, FailureReport, Figures, FleetUpdate, Greeting, Past, RefillReport, Sample, Update } from '../report.ts' */

/** What is remembered, as the server remembers it. */
const SAMPLES = 300
const REFILLS = 600
const FAILURES = 50
/** So many times its interval, and ms at least, after which a process that says nothing is no longer shown. */
const SILENCES = 4
const SILENT_FOR = 15_000

/**
 * What is known of one cache in one process.
 * @typedef {object} ProcessModel
 * @property {string} id
 * @property {string} process
 * @property {Sample[]} samples
 * @property {RefillReport[]} refills
 * @property {FailureReport[]} failures
 * @property {Figures | undefined} now
 * @property {number} every ms between two of its reports
 * @property {number} heardAt ms since 1970 on the server's clock
 */

/**
 * What is known of one cache.
 * @typedef {object} CacheModel
 * @property {string} name
 * @property {ProcessModel} own in the process that serves the page
 * @property {Map<string, ProcessModel>} others by id
 * @property {Omit<CacheUpdate, keyof Figures> | undefined} shared what does not depend on the process
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
    const { process, refresh: every } = greeting
    this.caches = greeting.caches.map(({ name, id, fleet, ...past }) => {
      const others = fleet.map((each) => /** @type {const} */ ([each.id, processModel({ ...each, every })]))
      return { name, own: processModel({ id, process, every, ...past }), others: new Map(others), shared: undefined }
    })
  }

  /** @param {Update} update */
  update({ at, caches }) {
    this.at = at
    for (const [i, cache] of this.caches.entries()) {
      const now = caches[i]
      if (now === undefined) continue
      cache.shared = now
      note(cache.own, now, at)
      if (now.fleet !== undefined) noteFleet(cache, now.fleet, at)
    }
  }
}

/** @param {Past & { id: string, process: string, every: number }} known @returns {ProcessModel} */
function processModel({ id, process, every, samples, refills, failures }) {
  return {
    ...{ id, process, every, now: undefined, heardAt: 0 },
    ...{ samples: [...samples], refills: [...refills], failures: [...failures] },
  }
}

/** @param {CacheModel} cache @param {FleetUpdate} fleet @param {number} at */
function noteFleet(cache, fleet, at) {
  for (const report of fleet.reports) {
    const past = { samples: [], refills: [], failures: [] }
    const known = cache.others.get(report.id) ?? processModel({ ...report, ...past })
    cache.others.set(report.id, known)
    known.every = report.every
    note(known, report, at)
  }
  for (const [id, { heardAt, every }] of cache.others) {
    if (heardAt > 0 && at - heardAt > Math.max(SILENCES * every, SILENT_FOR)) cache.others.delete(id)
  }
}

/** @param {ProcessModel} known @param {Figures} now @param {number} at */
function note(known, now, at) {
  known.now = now
  known.heardAt = at
  if (now.sample !== undefined) add(known.samples, [now.sample], SAMPLES)
  add(known.refills, now.refills, REFILLS)
  add(known.failures, now.failures, FAILURES)
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

/** All processes that have told something, the one that serves the page first. @param {CacheModel} cache */
export function processesOf(cache) {
  const others = [...cache.others.values()].filter(({ now }) => now !== undefined)
  return [cache.own, ...others.toSorted((a, b) => (a.process < b.process ? -1 : 1))]
}

/** Calls that were answered in a sample. @param {Omit<Sample, 'at' | 'span'>} sample */
export function answersOf({ hits, staleHits, misses, coalesced }) {
  return hits + staleHits + misses + coalesced
}

/** Share of them that had not to wait for a load; NaN without calls. @param {Omit<Sample, 'at' | 'span'>} sample */
export function ratioOf(sample) {
  return (sample.hits + sample.staleHits) / answersOf(sample)
}

/** One sample of several. @param {readonly Sample[]} samples */
export function sumOf(samples) {
  const sum = { at: 0, span: 0, hits: 0, staleHits: 0, misses: 0, coalesced: 0, refills: 0, refillFailures: 0 }
  for (const sample of samples) {
    for (const name of /** @type {(keyof Sample)[]} */ (Object.keys(sum))) sum[name] += sample[name]
  }
  return sum
}
