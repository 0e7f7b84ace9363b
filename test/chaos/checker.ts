import type { Call, Change, Fault, History, Load } from './history.ts'

/** ms, all of them. */
export interface Bounds {
  /** Within which a call is answered, but for the time that its process did not run. */
  readonly longestCall: number
  /** Within which every process knows of a change, whatever happens. */
  readonly grace: number
  /** From the end of a fault until whoever it hit shares loads again. */
  readonly recovery: number
  /** How long a loader runs at most. */
  readonly longestLoad: number
}

export interface Verdict {
  /** One for each thing that must not happen. */
  readonly wrong: readonly string[]
  /** How much there was to judge: a run that judges nothing proves nothing. */
  readonly judged: {
    readonly answers: number
    /** Of them those for which a change was known that forbids what was before. */
    readonly bound: number
    readonly loads: number
    /** Of them those that nothing excused from being alone. */
    readonly exclusive: number
  }
}

/**
 * Judges a history. Four rules:
 *
 * - fresh: a process that has heard of a change, or has made it, gets nothing older from then on; after `grace` nobody does;
 * - resurrection: who finds nothing in memory gets nothing older than a change that was done before, wherever it was made;
 * - one load: two loads of a key overlap only where a change, a fault, a lapsed lease or `forceFresh` explains it;
 * - end: every call ends in time, with a value of its own key, or with an error that a failed load explains.
 */
export function check(history: History, bounds: Bounds): Verdict {
  const keys = new Set([...history.calls, ...history.loads].map(({ key }) => key))
  const wrong: string[] = []
  const judged = { answers: 0, bound: 0, loads: history.loads.length, exclusive: 0 }
  const byKey = { calls: groupBy(history.calls), loads: groupBy(history.loads), changes: groupBy(history.changes) }
  const known = new Known(history)
  const trouble = new Trouble(history, bounds)
  for (const key of keys) {
    const loads = byKey.loads.get(key) ?? []
    const changes = byKey.changes.get(key) ?? []
    for (const call of byKey.calls.get(key) ?? []) {
      const asked = (call.together ?? [key]).flatMap((each) => byKey.loads.get(each) ?? [])
      wrong.push(...checkEnd(call, asked, trouble, bounds))
      if (call.version === undefined || call.to === null) continue
      judged.answers++
      const least = known.least(call, bounds.grace)
      if (least.version > 0) judged.bound++
      if (call.version < least.version)
        wrong.push(`${least.rule}: ${tell(call)} when ${least.version} was ${least.why}`)
    }
    const alone = checkLoads(key, loads, changes, trouble)
    judged.exclusive += alone.exclusive
    wrong.push(...alone.wrong)
  }
  return { wrong, judged }
}

function checkEnd(call: Call, loads: readonly Load[], trouble: Trouble, bounds: Bounds): string[] {
  const { to, from, key, of, error } = call
  if (to === null) return [`end: ${tell(call)} and was never answered`]
  const wrong: string[] = []
  const took = to - from - trouble.lostTime(call.process, from, to)
  if (took > bounds.longestCall) wrong.push(`end: ${tell(call)} after ${Math.round(took)} ms`)
  if (of !== undefined && of !== key) wrong.push(`end: ${tell(call)}, which is a value of ${of}`)
  if (error === undefined) return wrong
  const explains = (load: Load): boolean => load.failed && load.from <= to && load.to >= from - FAILURES_LAST
  if (!FAILED_LOAD.test(error) || !(loads.some(explains) || trouble.silenced(from - FAILURES_LAST, to)))
    wrong.push(`end: ${tell(call)}`)
  return wrong
}

/** What a caller is told of a load that failed: by its own loader, or by another process. */
const FAILED_LOAD = /^(LoaderError|RefillFailedError)/
/** ms for which a failed load may be remembered. */
const FAILURES_LAST = 1000

function checkLoads(
  key: string,
  loads: readonly Load[],
  changes: readonly Change[],
  trouble: Trouble,
): { wrong: string[]; exclusive: number } {
  const wrong: string[] = []
  const excused = new Set<Load>()
  const sorted = loads.toSorted((a, b) => a.from - b.from)
  for (const [i, later] of sorted.entries()) {
    for (const earlier of sorted.slice(0, i)) {
      if (earlier.to <= later.from) continue
      const isExplained =
        earlier.forced ||
        later.forced ||
        changes.some(({ from, to }) => from <= later.from && to >= earlier.claimedAt) ||
        trouble.excuses(earlier, later)
      if (isExplained) excused.add(later)
      else {
        const [a, b] = [earlier, later].map(({ process, from, to }) => `${process} ${span(from, to)}`)
        wrong.push(`one load: ${key} was loaded by ${a} and by ${b}`)
      }
    }
    if (trouble.hits(later.process, later.from, later.from)) excused.add(later)
  }
  return { wrong, exclusive: sorted.length - excused.size }
}

/** Which version is the oldest that a call may get. */
class Known {
  /** By key: changes that were done, in the order in which they were. */
  readonly #done = new Map<string, Steps>()
  /** By process and key: changes that it made or heard of. */
  readonly #heard = new Map<string, Steps>()

  constructor({ changes, hearings }: History) {
    for (const { process, key, version, to, isDone } of changes) {
      if (!isDone) continue
      stepsOf(this.#done, key).add(to, version)
      stepsOf(this.#heard, `${process} ${key}`).add(to, version)
    }
    for (const { process, key, version, at } of hearings) stepsOf(this.#heard, `${process} ${key}`).add(at, version)
  }

  least(call: Call, grace: number): { version: number; rule: string; why: string } {
    const { process, key, from, how } = call
    const heard = this.#heard.get(`${process} ${key}`)?.at(from) ?? 0
    const done = this.#done.get(key)?.at(how === 'own' ? from : from - grace) ?? 0
    if (heard >= done) return { version: heard, rule: 'fresh', why: 'known to it' }
    if (how === 'own') return { version: done, rule: 'resurrection', why: 'done before' }
    return { version: done, rule: 'fresh', why: `done ${grace} ms before` }
  }
}

/** A number that only grows, by instant. */
class Steps {
  readonly #steps: { at: number; version: number }[] = []
  #isSorted = true

  add(at: number, version: number): void {
    this.#steps.push({ at, version })
    this.#isSorted = false
  }

  /** The largest of those at or before `instant`. */
  at(instant: number): number {
    this.#sort()
    let [low, high] = [0, this.#steps.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#steps[middle] as { at: number }).at <= instant) low = middle + 1
      else high = middle
    }
    return this.#steps[low - 1]?.version ?? 0
  }

  #sort(): void {
    if (this.#isSorted) return
    this.#isSorted = true
    this.#steps.sort((a, b) => a.at - b.at)
    let most = 0
    for (const step of this.#steps) step.version = most = Math.max(most, step.version)
  }
}

/** Which process was in trouble when. */
class Trouble {
  /** Of all processes, and of each. */
  readonly #spans = new Map<string, (Fault & { readonly recoveredAt: number })[]>()
  readonly #lapses: History['lapses']
  readonly #longestLoad: number

  constructor({ faults, stalls, lapses }: History, { recovery, longestLoad }: Bounds) {
    const all = [...faults, ...stalls.map((stall) => ({ ...stall, kind: 'stall', harms: true, froze: true }))]
    for (const fault of all) {
      const whose = fault.process ?? ALL
      const known = this.#spans.get(whose) ?? []
      this.#spans.set(whose, known)
      known.push({ ...fault, recoveredAt: fault.to + recovery })
    }
    this.#lapses = lapses
    this.#longestLoad = longestLoad
  }

  /** Whether it harmed that process at some time in between. */
  hits(process: string, from: number, to: number): boolean {
    return this.#of(process).some((fault) => fault.harms && fault.from <= to && fault.recoveredAt >= from)
  }

  /** Whether what befell one of the two explains that they run beside each other. */
  excuses(earlier: Load, later: Load): boolean {
    const from = earlier.from - this.#longestLoad // a lease may have been lost in the load before
    if ([earlier, later].some(({ process }) => this.hits(process, from, later.from))) return true
    return this.#lapses.some(
      ({ process, key, at }) =>
        key === earlier.key &&
        process === earlier.process &&
        at >= earlier.from &&
        at <= earlier.to + this.#longestLoad,
    )
  }

  /** Whether some process may have seen in between what nobody was told. */
  silenced(from: number, to: number): boolean {
    const all = [...this.#spans.values()].flat()
    return all.some((fault) => fault.silenced === true && fault.from <= to && fault.to >= from)
  }

  /** ms of that time in which the process, or the Redis that it waits for, did not run. */
  lostTime(process: string, from: number, to: number): number {
    const frozen = this.#of(process).filter(({ froze }) => froze === true)
    return frozen.reduce((sum, fault) => sum + Math.max(0, Math.min(to, fault.to) - Math.max(from, fault.from)), 0)
  }

  #of(process: string): readonly (Fault & { readonly recoveredAt: number })[] {
    return [...(this.#spans.get(ALL) ?? []), ...(this.#spans.get(process) ?? [])]
  }
}

const ALL = ''

function stepsOf(map: Map<string, Steps>, name: string): Steps {
  const known = map.get(name) ?? new Steps()
  map.set(name, known)
  return known
}

function groupBy<T extends { readonly key: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(item.key)
    if (group === undefined) groups.set(item.key, [item])
    else group.push(item)
  }
  return groups
}

function tell({ process, key, method, from, to, version, how, error }: Call): string {
  const outcome = error ?? (version === undefined ? 'nothing' : `version ${version}`)
  return `${process} asked for ${key} by ${method} at ${span(from, to)} and got ${outcome} (${how})`
}

function span(from: number, to: number | null): string {
  return `${Math.round(from)}–${to === null ? '' : Math.round(to)}`
}
