import type { Moment } from '../support/monitored.ts'
import { after, exactly, isOver } from './moment.ts'
import type { Observation, Stored, Told } from './observed.ts'

/** What `Trace` of replay.pml is to do, and what must come of it. */
export interface Step {
  /** As replay.pml reads them: op, at, tok, val, regs, early, ranOut, answer, mask, kind. */
  readonly row: readonly number[]
  /** For people: where a replay stops. */
  readonly text: string
}

/** Tokens and inboxes that one stretch of a trace may have, and the largest number of a value. */
export const MOST_TOKENS = 100
export const MOST_INBOXES = 8
const LARGEST = 250

const EMPTY = 0
const [LEASE_ENDS, LEASE_MAY_END, STALE, MAY_BE_STALE, GONE, MAY_BE_GONE] = [1, 2, 3, 4, 5, 6]
const OPS = { claim: 10, take: 11, store: 12, failure: 12, deliver: 13, abandon: 14, delete: 15, set: 16, tag: 17 }
/** Where they stand in a row. */
const [ANSWER, TELLS] = [7, 8]
const ANSWERS = { any: 0, fresh: 1, leased: 2, busy: 3, ok: 4, lost: 5, invalid: 6 }

/** What was seen, with another outcome. */
export function changedStep(
  { row, text }: Step,
  { answer, tells }: { readonly answer?: keyof typeof ANSWERS; readonly tells?: number },
): Step {
  const changed = row.with(ANSWER, answer === undefined ? (row[ANSWER] as number) : ANSWERS[answer])
  return { row: tells === undefined ? changed : changed.with(TELLS, tells), text }
}

/** `isEmpty`: whether nothing stood in Redis before. Else a trace begins with the first change, after which all is known. */
export function stepsOf(observations: readonly Observation[], isEmpty: boolean): Step[] {
  const steps = new Steps(isEmpty)
  for (const observation of observations) steps.add(observation)
  return steps.steps
}

class Steps {
  readonly steps: Step[] = []
  /** Whether what stands in Redis is known. */
  #isKnown: boolean
  #tokens = new Map<string, number>()
  #inboxes = new Map<string, number>()
  /** What is taken off versions. */
  #base = 0
  #lease: { readonly token: string; readonly endsAt: Moment } | undefined
  #stored: Stored | undefined
  #isStale = false
  /** Whether the key of the tag is there: without it what `set` stores counts as invalidated. */
  #hasTag = false

  constructor(isEmpty: boolean) {
    this.#isKnown = isEmpty
    if (isEmpty) this.#begin('Redis is empty')
  }

  add(seen: Observation): void {
    if (seen.kind === 'tag') this.#hasTag = true
    if (seen.kind === 'flush') {
      this.#hasTag = false
      return this.#begin('FLUSHALL')
    }
    if (seen.kind === 'unknown' || (seen.kind === 'set' && seen.isTagged && !this.#hasTag)) {
      this.#isKnown = false
      return
    }
    const isChange = seen.kind === 'set' || seen.kind === 'delete'
    const isOverdue = this.#tokens.size > MOST_TOKENS / 2 || this.#inboxes.size > MOST_INBOXES / 2
    if (isChange && (!this.#isKnown || isOverdue)) {
      this.#begin('a new stretch')
      this.#base = seen.kind === 'set' ? seen.version - 1 : this.#base
      return this.#change(seen, { inboxes: [], what: undefined }) // whoever waited is not known
    }
    if (!this.#isKnown) return
    this.#passTime(seen.at)
    if (isChange) this.#change(seen, seen.told)
    else if (seen.kind === 'claim') this.#claim(seen)
    else if (seen.kind === 'settle') this.#settle(seen)
    else if (seen.kind === 'extend' && this.#lease)
      this.#lease = { ...this.#lease, endsAt: after(seen.at, seen.leaseFor) }
    else if (seen.kind === 'invalidate-tag') this.#push(OPS.tag, 'a tag is invalidated', { answer: ANSWERS.ok })
    if (this.#tokens.size >= MOST_TOKENS || this.#inboxes.size > MOST_INBOXES) this.#isKnown = false
  }

  /** From now on Redis is empty, for all that is known of this entry. */
  #begin(why: string): void {
    this.#isKnown = true
    this.#tokens = new Map()
    this.#inboxes = new Map()
    this.#forget()
    this.#push(EMPTY, why)
  }

  #forget(): void {
    this.#lease = undefined
    this.#stored = undefined
    this.#isStale = false
  }

  /** What ends by time. */
  #passTime(now: Moment): void {
    const lease = isOver(this.#lease?.endsAt, now)
    if (lease === 'surely') {
      this.#push(LEASE_ENDS, 'the lease runs out')
      this.#lease = undefined
    } else if (lease === 'perhaps') this.#push(LEASE_MAY_END, 'the lease may have run out')
    const ttl = isOver(this.#stored && exactly(this.#stored.freshUntil), now)
    const value = isOver(this.#stored?.goneAt, now)
    if (value === 'surely') {
      this.#push(GONE, 'the value expires')
      this.#stored = undefined
    } else if (value === 'perhaps') this.#push(MAY_BE_GONE, 'the value may have expired')
    if (ttl === 'surely') {
      if (!this.#isStale) this.#push(STALE, 'its ttl ends')
      this.#isStale = true
    } else if (ttl === 'perhaps') this.#push(MAY_BE_STALE, 'its ttl may have ended')
  }

  #claim(seen: Extract<Observation, { kind: 'claim' }>): void {
    const { token, inbox, answer, at, leaseFor, told, takesOver, freshBeyond } = seen
    const isEarly = freshBeyond !== undefined && (this.#stored?.freshUntil ?? 0) <= freshBeyond
    this.#push(takesOver ? OPS.take : OPS.claim, `${takesOver ? 'forced claim' : 'claim'}: ${answer}`, {
      ...{ by: inbox, token, isEarly, registers: inbox !== '', answer: ANSWERS[answer], told },
    })
    if (answer !== 'leased') return
    const isAgain = this.#lease?.token === token // it was carried out before, and its answer was lost
    if (!isAgain) this.#lease = { token, endsAt: after(at, leaseFor) }
  }

  #settle(seen: Extract<Observation, { kind: 'settle' }>): void {
    const { what, token, version, hasRunOut, isDone, stored, told } = seen
    const done = what === 'deliver' ? ANSWERS.any : stored === undefined ? ANSWERS.invalid : ANSWERS.ok
    const answer = what === 'abandon' ? ANSWERS.any : isDone ? done : ANSWERS.lost
    const outcome = !isDone ? 'refused' : stored === undefined ? 'not stored' : 'stored'
    const isLost = !isDone && what === 'abandon'
    this.#push(OPS[what], `${what} of ${version}: ${outcome}`, {
      ...{ token, version, registers: what === 'failure', ranOut: hasRunOut, answer: isLost ? ANSWERS.lost : answer },
      ...{ told, isAnyKind: what === 'abandon' },
    })
    if (!isDone) return
    this.#lease = undefined
    this.#note(stored)
  }

  #change(seen: Extract<Observation, { kind: 'set' | 'delete' }>, told: Told): void {
    this.#forget()
    if (seen.kind === 'delete') return this.#push(OPS.delete, 'delete', { answer: ANSWERS.ok, told })
    const { version, isTagged, stored } = seen
    const token = `set ${this.#tokens.size}`
    this.#push(OPS.set, `set ${version}`, { token, version, registers: isTagged, answer: ANSWERS.ok, told })
    this.#note(stored)
  }

  #note(stored: Stored | undefined): void {
    if (stored === undefined) return
    this.#stored = stored
    this.#isStale = false
  }

  #push(
    op: number,
    text: string,
    {
      by,
      token,
      version = 0,
      registers = false,
      isEarly = false,
      ranOut = false,
      answer = 0,
      told = { inboxes: [], what: undefined },
      isAnyKind = false,
    }: {
      by?: string
      token?: string
      version?: number
      registers?: boolean
      isEarly?: boolean
      ranOut?: boolean
      answer?: number
      told?: Told
      isAnyKind?: boolean
    } = {},
  ): void {
    const number = Math.min(Math.max(version - this.#base, 0), LARGEST)
    const mask = told.inboxes.reduce((bits, inbox) => bits | (1 << this.#inbox(inbox)), 0)
    const kind = isAnyKind || told.what === undefined ? 0 : told.what === 'value' ? 1 : 2
    const flags = [registers, isEarly, ranOut].map(Number)
    const who = by === undefined || by === '' ? 0 : this.#inbox(by)
    const at = this.steps.length
    this.steps.push({
      row: [op, who, token === undefined ? 0 : this.#token(token), number, ...flags, answer, mask & 0xff, kind],
      text: `step ${at}: ${text}${token === undefined ? '' : ` (token ${this.#token(token)})`}${mask > 0 ? ', tells those who wait' : ''}`,
    })
  }

  #token(token: string): number {
    return numberIn(this.#tokens, token) + 1
  }

  #inbox(inbox: string): number {
    return numberIn(this.#inboxes, inbox)
  }
}

function numberIn(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name) ?? numbers.size
  numbers.set(name, known)
  return known
}
