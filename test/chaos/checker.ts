import type { Bounds } from './bounds.ts'
import { explainsFailure } from './failures.ts'
import type { Call, Change, Hearing, History, Load } from './history.ts'
import { Known } from './known.ts'
import { checkReadings } from './stream-rules.ts'
import { span } from './span.ts'
import { Trouble } from './trouble.ts'

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
    /** Of streams. */
    readonly readings: number
    readonly chunks: number
    /** Of the readings those that went on with a run after another one. */
    readonly resumed: number
  }
}

/**
 * Judges a history. Four rules:
 *
 * - fresh: a process that has heard of a change, or has made it, gets nothing older from then on; after `grace` nobody does;
 * - resurrection: who finds nothing in memory gets nothing older than a change that was done before, wherever it was made;
 * - one load: two loads of a key overlap only where a change, a fault, a lapsed lease or `forceFresh` explains it;
 * - end: every call ends in time, with a value of its own key, or with an error that a failed load explains.
 *
 * And those of `stream-rules.ts` for streams.
 */
export function check(history: History, bounds: Bounds): Verdict {
  const { calls, readings } = history
  const keys = new Set([...calls, ...history.loads, ...readings].map(({ key }) => key))
  const wrong: string[] = []
  const byKey = {
    ...{ calls: groupBy(calls), loads: groupBy(history.loads), changes: groupBy(history.changes) },
    ...{ readings: groupBy(readings), hearings: groupBy(history.hearings) },
  }
  const known = new Known(history)
  const trouble = new Trouble(history, bounds)
  const judged = { answers: 0, bound: 0, loads: history.loads.length, exclusive: 0, readings: 0, chunks: 0, resumed: 0 }
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
    const read = checkReadings(byKey.readings.get(key) ?? [], loads, { known, trouble, bounds })
    wrong.push(...read.wrong)
    for (const name of ['readings', 'chunks', 'resumed', 'bound'] as const) judged[name] += read.judged[name]
    const forced = (byKey.calls.get(key) ?? []).filter(({ method }) => method === FORCED)
    const heard = byKey.readings.has(key) ? (byKey.hearings.get(key) ?? []).map(whenHeard) : []
    const alone = checkLoads(
      loads,
      [...changes, ...heard, ...forced.map((call) => whenForced(call, history.faults))],
      trouble,
    )
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
  if (!explainsFailure(error, { from, to }, loads, trouble)) wrong.push(`end: ${tell(call)}`)
  return wrong
}

/** A call with `forceFresh`, which takes the lease of another load away, though it may be given up before it loads. */
export const FORCED = 'getOrRefill, forced'
/** ms for which the claim of a call that was given up may still be under way. */
const CLAIM_LASTS = 1000

/** A fault may hold its claim back for as long as it lasts. */
function whenForced({ process, from, to }: Call, faults: History['faults']): Pick<Change, 'from' | 'to'> {
  const answeredAt = to ?? Infinity
  const holding = faults.filter((fault) => (fault.process ?? process) === process && fault.from <= answeredAt)
  const heldUntil = holding.filter((fault) => fault.to >= from).map((fault) => fault.to)
  return { from, to: Math.max(answeredAt, ...heldUntil) + CLAIM_LASTS }
}

/** A producer gives its lease up when it hears of a change of its tag, also of one from shortly before its claim. */
function whenHeard({ at }: Hearing): Pick<Change, 'from' | 'to'> {
  return { from: at, to: at }
}

/** `changes`: what takes leases away. */
function checkLoads(
  loads: readonly Load[],
  changes: readonly Pick<Change, 'from' | 'to'>[],
  trouble: Trouble,
): { wrong: string[]; exclusive: number } {
  const wrong: string[] = []
  const excused = new Set<Load>()
  const sorted = loads.toSorted((a, b) => a.from - b.from)
  for (const [i, later] of sorted.entries()) {
    for (const earlier of sorted.slice(0, i)) {
      if (earlier.to <= later.from) continue
      // The one that has begun later may have claimed before: then it is its lease that a change has taken away.
      const claimedAt = Math.min(earlier.claimedAt, later.claimedAt)
      const isExplained =
        earlier.forced ||
        later.forced ||
        changes.some(({ from, to }) => from <= later.from && to >= claimedAt) ||
        trouble.excuses(earlier, later)
      if (isExplained) excused.add(later)
      else {
        const [a, b] = [earlier, later].map(({ process, from, to }) => `${process} ${span(from, to)}`)
        wrong.push(`one load: ${later.key} was loaded by ${a} and by ${b}`)
      }
    }
    if (trouble.hits(later.process, later.from, later.from)) excused.add(later)
  }
  return { wrong, exclusive: sorted.length - excused.size }
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
