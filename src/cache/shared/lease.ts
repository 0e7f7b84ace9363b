import type { Clock } from '../../clock.ts'
import type { HeldLock } from '../../lock/held-lock.ts'
import { validityEnd } from '../../lock/validity.ts'
import type { Deadline, Deadlines } from '../../redis/deadlines.ts'
import type { Encoded } from '../../store/codec.ts'
import type { RemoteFailure } from '../../store/notice.ts'
import type { Committing, Ended, Ending, Possession } from '../../store/endings.ts'
import type { Broadcast } from '../../store/broadcast.ts'
import type { Storing } from '../../store/storing.ts'
import type { RedisMember } from './member.ts'

/**
 * The right of one refill to store its result. Each ending ends it and resolves with whether it was still held, or with
 * `undefined` if Redis failed, which is then reported. None rejects. Only the first ending counts.
 */
export interface Lease {
  /** Whether one of the endings has been called. */
  readonly hasEnded: boolean
  /** Absent if no other process takes part. */
  readonly token: string | undefined
  /** When it was granted, in µs on Redis's clock. */
  readonly grantedAt: number
  /** The result was begun at that time, by an earlier holder of the lease: changes of its tags count from then on. */
  backdate(grantedAt: number): void
  /** Calls `listener` once if the lease is lost before it is ended. */
  onLost(listener: (reason: unknown) => void): void
  /** Stores the value and hands it to waiters. */
  commit(payload: Encoded, storing: Storing, loadTime: number): Promise<boolean | undefined>
  /** The same for one of thousands: calls back instead of resolving, without a promise if possible. */
  commitFor(listener: (isHeld: boolean | undefined) => void, payload: Encoded, storing: Storing, loadTime: number): void
  /**
   * Gives the value that the claim found a new life, and hands it to waiters. If it is gone by now, stores the result of
   * `encode`.
   */
  renew(storing: Storing, loadTime: number, encode: () => Encoded): Promise<boolean | undefined>
  /** Hands the value to waiters without storing it, unless one of its tags was invalidated since its load began. */
  deliver(payload: Encoded, storing: Storing): Promise<boolean | undefined>
  /** Hands the failure to waiters, and stores it for later callers if `remembered` is given. */
  fail(failure: RemoteFailure, remembered?: Storing): Promise<boolean | undefined>
  /** Waiters, and callers within `duration` ms, load for themselves. */
  pass(duration: number): Promise<boolean | undefined>
  /** The processes of the waiters, and those that ask within `duration` ms, each load for themselves. */
  localise(duration: number): Promise<boolean | undefined>
  /** Waiters compete again. */
  abandon(): Promise<boolean | undefined>
}

/** What the leases of one cache have in common. */
export interface LeaseHost {
  readonly members: readonly RedisMember[]
  readonly clock: Clock
  /** ms for which a lease is held. */
  readonly ttl: number
  /** The tokens of the leases that have not ended. */
  readonly running: Set<string>
  /** When each lease is extended for the first time. Most loads have ended by then. */
  readonly firstExtensions: Deadlines
  /** The lease as a lock held since a local time. */
  lockOf(key: string, token: string, takenAt: number): HeldLock
  /** What one of several members stored may be older than a change that another member knows. */
  onOvertaken(key: string): void
}

/** A lease in every Redis of the cache, extended while the loader runs. So it can be short, and a crash is noticed soon. */
export class RedisLease implements Lease, Committing {
  readonly #host: LeaseHost
  readonly #key: string
  #possessions: readonly Possession[]
  /** Local time from which its duration counts. */
  readonly #takenAt: number
  readonly #change: Broadcast | undefined
  readonly #firstExtension: Deadline
  /** Made for its first extension. */
  #lock: HeldLock | undefined
  /** Set by `onLost`. */
  #onLost: ((reason: unknown) => void) | undefined
  /** Set by `commitFor`. */
  #onCommitted: ((isHeld: boolean | undefined) => void) | undefined
  #ended = false

  /** `change`: what every process is told once a value is stored. */
  constructor(host: LeaseHost, key: string, possessions: readonly Possession[], change: Broadcast | undefined) {
    this.#host = host
    this.#key = key
    this.#possessions = possessions
    this.#takenAt = this.#first.sentAt
    this.#change = change
    this.#firstExtension = host.firstExtensions.set(this)
    host.running.add(this.token)
  }

  /** It is to be extended for the first time. */
  missed(): void {
    this.#lock = this.#host.lockOf(this.#key, this.token, this.#takenAt)
    this.#lock.onEnd((outcome, reason) => {
      if (outcome === 'lost') this.#onLost?.(reason)
    })
    this.#lock.extendFromNow()
  }

  get #first(): Possession {
    return this.#possessions[0] as Possession
  }

  get hasEnded(): boolean {
    return this.#ended
  }

  get token(): string {
    return this.#first.token
  }

  get grantedAt(): number {
    return this.#first.grantedAt
  }

  /** Whether it may have lapsed by our clock. */
  get #hasRunOut(): boolean {
    if (this.#lock !== undefined) return this.#lock.hasRunOut
    return this.#host.clock.now() >= validityEnd(this.#takenAt, this.#host.ttl)
  }

  backdate(grantedAt: number): void {
    const by = this.grantedAt - grantedAt
    if (by <= 0) return
    this.#possessions = this.#possessions.map((possession) => ({
      ...possession,
      sentAt: possession.sentAt - by / 1000,
      grantedAt: possession.grantedAt - by,
    }))
  }

  onLost(listener: (reason: unknown) => void): void {
    this.#onLost = listener
  }

  commit(payload: Encoded, storing: Storing, loadTime: number): Promise<boolean | undefined> {
    return this.#end(
      (endings, key, possession) => endings.commit(key, possession, payload, storing, loadTime, this.#change),
      // If Redis cannot write (out of memory, for example), waiters can still be told, and the lease can still be deleted.
      (endings, key, possession) => endings.deliver(key, possession, payload, storing),
    )
  }

  commitFor(
    listener: (isHeld: boolean | undefined) => void,
    payload: Encoded,
    storing: Storing,
    loadTime: number,
  ): void {
    const [first, ...others] = this.#host.members
    if (first === undefined || others.length > 0 || storing.tags.length > 0 || this.#change !== undefined) {
      return void this.commit(payload, storing, loadTime).then(listener)
    }
    if (this.#ended) return listener(false)
    this.#leave()
    if (!first.breaker.admits()) return listener(undefined)
    this.#onCommitted = listener
    first.store.endings.commitFor(this, this.#key, this.#endedOn(0), payload, storing, loadTime)
  }

  committed(isAccepted: boolean): void {
    this.#onCommitted?.(isAccepted)
  }

  commitFailed(error: unknown, payload: Encoded, storing: Storing): void {
    const [member] = this.#host.members as [RedisMember]
    member.report(error)
    const deliver: Ending = (endings, key, possession) => endings.deliver(key, possession, payload, storing)
    void this.#endOn(0, deliver).then(() => this.#onCommitted?.(undefined))
  }

  renew(storing: Storing, loadTime: number, encode: () => Encoded): Promise<boolean | undefined> {
    return this.#end(
      async (endings, key, possession) => {
        const outcome = await endings.renew(key, possession, storing, loadTime)
        if (outcome === 'absent') return endings.commit(key, possession, encode(), storing, loadTime, this.#change)
        return outcome === 'done'
      },
      async (endings, key, possession) => endings.deliver(key, possession, encode(), storing),
    )
  }

  deliver(payload: Encoded, storing: Storing): Promise<boolean | undefined> {
    return this.#end((endings, key, possession) => endings.deliver(key, possession, payload, storing))
  }

  fail(failure: RemoteFailure, remembered?: Storing): Promise<boolean | undefined> {
    const tell: Ending = (endings, key, possession) => endings.fail(key, possession, failure)
    if (remembered === undefined) return this.#end(tell)
    return this.#end((endings, key, possession) => endings.fail(key, possession, failure, remembered), tell)
  }

  pass(duration: number): Promise<boolean | undefined> {
    return this.#end((endings, key, possession) => endings.pass(key, possession, duration), abandon)
  }

  localise(duration: number): Promise<boolean | undefined> {
    return this.#end((endings, key, possession) => endings.localise(key, possession, duration), abandon)
  }

  abandon(): Promise<boolean | undefined> {
    return this.#end(abandon)
  }

  #end(ending: Ending, fallback?: Ending): Promise<boolean | undefined> {
    if (this.#ended) return OVER
    this.#leave()
    const { members } = this.#host
    return members.length === 1 ? this.#endOn(0, ending, fallback) : this.#endOnAll(ending, fallback)
  }

  /** It is extended no more. */
  #leave(): void {
    this.#ended = true
    this.#host.running.delete(this.token)
    this.#host.firstExtensions.meet(this.#firstExtension)
    this.#lock?.forget()
    for (const { slots } of this.#host.members) slots?.drop(this.token)
  }

  #endOn(index: number, ending: Ending, fallback?: Ending): Promise<boolean | undefined> {
    return (this.#host.members[index] as RedisMember).end(ending, fallback, this.#key, this.#endedOn(index))
  }

  #endedOn(index: number): Possession & Ended {
    const { token, sentAt, grantedAt } = this.#possessions[index] as Possession
    return { token, sentAt, grantedAt, hasRunOut: this.#hasRunOut }
  }

  /**
   * Ends the lease on every member, the last first. If one has lost it, the lease is only given back on the rest, and the
   * result is removed where it was stored already: it may be older than a change where the lease was lost.
   */
  async #endOnAll(ending: Ending, fallback: Ending | undefined): Promise<boolean | undefined> {
    let outcome = true as boolean | undefined
    let isDoneSomewhere = false
    for (let i = this.#host.members.length - 1; i >= 0; i--) {
      const isLost: boolean = outcome === false
      const ended = await (isLost ? this.#endOn(i, abandon) : this.#endOn(i, ending, fallback))
      if (outcome !== false && ended !== true) outcome = ended
      if (outcome === true) isDoneSomewhere = true
    }
    if (outcome === false && isDoneSomewhere) this.#host.onOvertaken(this.#key)
    return outcome
  }
}

const abandon: Ending = (endings, key, possession) => endings.abandon(key, possession)

/** The result of a second ending. */
const OVER = Promise.resolve(false)

const HELD = Promise.resolve(true)
const held = (): Promise<boolean> => HELD

/** Used when no other process takes part: without Redis, and while Redis cannot be reached. */
export const localLease: Lease = {
  hasEnded: true,
  token: undefined,
  grantedAt: 0,
  backdate: () => {},
  onLost: () => {},
  commit: held,
  commitFor: (listener) => listener(true),
  renew: held,
  deliver: held,
  fail: held,
  pass: held,
  localise: held,
  abandon: held,
}
