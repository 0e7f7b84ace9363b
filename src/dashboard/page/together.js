/** @import { Figures, Sample } from '../report.ts' */
/** @import { ProcessModel } from './model.js' */

/** Keys that are shown of each kind. */
const KEYS = 10
/** ms: the finest steps in which the samples of several processes are added up. */
const FINEST = 1000

/**
 * What the page shows: one process, or several as if they were one.
 * @typedef {object} View
 * @property {readonly Sample[]} samples
 * @property {readonly (ProcessModel['refills'][number] & { process?: string })[]} refills
 * @property {readonly (ProcessModel['failures'][number] & { process?: string })[]} failures
 * @property {Figures | undefined} now
 * @property {readonly ProcessModel[]} processes
 */

/** @param {ProcessModel} process @returns {View} */
export function alone(process) {
  return { ...process, processes: [process] }
}

/** @param {readonly ProcessModel[]} processes @param {number} at ms since 1970 @returns {View} */
export function together(processes, at) {
  /** @template {{ at: number }} T @param {(process: ProcessModel) => readonly T[]} listOf */
  const named = (listOf) =>
    processes
      .flatMap((each) => listOf(each).map((item) => ({ ...item, process: each.process })))
      .toSorted((a, b) => a.at - b.at)
  return {
    samples: addedUp(processes, at),
    refills: named(({ refills }) => refills),
    failures: named(({ failures }) => failures),
    now: figuresOf(processes.flatMap(({ now, process }) => (now === undefined ? [] : { ...now, process }))),
    processes,
  }
}

/**
 * Processes tell at different moments of different spans: each sample is shared out among equal steps of time. A step is
 * shown once everybody has told of it.
 * @param {readonly ProcessModel[]} processes @param {number} at @returns {Sample[]}
 */
function addedUp(processes, at) {
  const step = Math.max(FINEST, ...processes.map(({ every }) => every))
  const complete = at - step
  /** @type {Map<number, ReturnType<typeof empty>>} */
  const steps = new Map()
  for (const sample of processes.flatMap(({ samples }) => samples)) {
    const begin = sample.at - sample.span
    for (let end = (Math.floor(begin / step) + 1) * step; end < sample.at + step && end <= complete; end += step) {
      const share = (Math.min(sample.at, end) - Math.max(begin, end - step)) / Math.max(sample.span, 1)
      const sum = steps.get(end) ?? empty(end, step)
      steps.set(end, sum)
      for (const name of COUNTED) sum[name] += sample[name] * share
    }
  }
  return [...steps.values()].toSorted((a, b) => a.at - b.at)
}

const COUNTED = /** @type {const} */ (['hits', 'staleHits', 'misses', 'coalesced', 'refills', 'refillFailures'])

/** @param {number} at @param {number} span */
function empty(at, span) {
  return { at, span, hits: 0, staleHits: 0, misses: 0, coalesced: 0, refills: 0, refillFailures: 0 }
}

/** @param {readonly (Figures & { process: string })[]} all @returns {Figures | undefined} */
function figuresOf(all) {
  if (all.length === 0) return undefined
  /** @param {(figures: Figures) => number} of */
  const sum = (of) => all.reduce((total, each) => total + of(each), 0)
  const limited = all.flatMap(({ stats }) => stats.limit ?? [])
  const isSized = all.every(({ stats }) => stats.bytes !== undefined)
  return {
    stats: {
      .../** @type {Record<(typeof ADDED)[number], number>} */ (
        Object.fromEntries(ADDED.map((name) => [name, sum(({ stats }) => stats[name])]))
      ),
      bytes: isSized ? sum(({ stats }) => stats.bytes ?? 0) : undefined,
      limit:
        limited.length === 0
          ? undefined
          : {
              maxLoads: Math.max(...limited.map(({ maxLoads }) => maxLoads)),
              // Processes tell at different moments: a slot that changes hands in between would count twice.
              running: Math.min(
                limited.reduce((total, { running }) => total + running, 0),
                Math.max(...limited.map(({ maxLoads }) => maxLoads)),
              ),
              waiting: limited.reduce((total, { waiting }) => total + waiting, 0),
              refused: limited.reduce((total, { refused }) => total + refused, 0),
            },
      redis: all.flatMap(({ stats, process }) => stats.redis.map((each) => ({ ...each, process }))),
    },
    sample: undefined,
    flights: {
      rows: all.flatMap(({ flights, process }) => flights.rows.map((row) => ({ ...row, process }))),
      count: sum(({ flights }) => flights.count),
    },
    hottest: hottestOf(all),
    slowest: slowestOf(all),
    unshared: unsharedOf(all),
    refills: [],
    failures: [],
  }
}

const ADDED = /** @type {const} */ ([
  ...['hits', 'staleHits', 'misses', 'coalesced', 'refills', 'refillFailures'],
  ...['leasesLost', 'errors', 'entries', 'flights'],
])

/** Each process tells its hottest keys alone; of those that are hot in some only, these count. @param {readonly Figures[]} all */
function hottestOf(all) {
  /** @type {Map<string, Figures['hottest'][number]>} */
  const byKey = new Map()
  for (const each of all.flatMap(({ hottest }) => hottest)) {
    byKey.set(each.key, { ...each, rate: each.rate + (byKey.get(each.key)?.rate ?? 0) })
  }
  return [...byKey.values()].toSorted((a, b) => b.rate - a.rate).slice(0, KEYS)
}

/** @param {readonly Figures[]} all */
function slowestOf(all) {
  /** @type {Map<string, Figures['slowest'][number]>} */
  const byKey = new Map()
  for (const each of all.flatMap(({ slowest }) => slowest)) {
    const { loads, mean, longest } = byKey.get(each.key) ?? { loads: 0, mean: 0, longest: 0 }
    byKey.set(each.key, {
      ...each,
      loads: loads + each.loads,
      mean: (loads * mean + each.loads * each.mean) / (loads + each.loads),
      longest: Math.max(longest, each.longest),
    })
  }
  return [...byKey.values()].toSorted((a, b) => b.longest - a.longest).slice(0, KEYS)
}

/** The latest first. @param {readonly Figures[]} all */
function unsharedOf(all) {
  /** @type {Map<string, Figures['unshared'][number]>} */
  const byKey = new Map()
  for (const each of all.flatMap(({ unshared }) => unshared).toSorted((a, b) => a.at - b.at)) {
    byKey.set(each.key, { ...each, times: each.times + (byKey.get(each.key)?.times ?? 0) })
  }
  return [...byKey.values()].toSorted((a, b) => b.at - a.at).slice(0, KEYS)
}
