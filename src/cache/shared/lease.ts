import { onAbort } from '../../abort.ts'
import type { HeldLock } from '../../lock/held-lock.ts'
import type { RemoteFailure } from '../../store/notice.ts'
import type { Possession, RedisStore, Storing } from '../../store/redis-store.ts'
import type { RedisMember } from './member.ts'

/**
 * The right of one refill to store its result. Each of the endings ends it and resolves with whether it was still held,
 * with `undefined` when Redis failed, which is then reported. None rejects. Only the first ending counts.
 */
export interface Lease {
  /** Calls `listener` once if the lease is lost before it is ended. */
  onLost(listener: (reason: unknown) => void): void
  /** Stores the value and hands it to waiters. */
  commit(payload: Uint8Array, storing: Storing, loadTime: number): Promise<boolean | undefined>
  /** Hands the value to waiters without storing it. */
  deliver(payload: Uint8Array): Promise<boolean | undefined>
  /** Hands the failure to waiters. */
  fail(failure: RemoteFailure): Promise<boolean | undefined>
  /** Waiters, and those who follow for `duration` ms, load for themselves. */
  pass(duration: number): Promise<boolean | undefined>
  /** Waiters compete again. */
  abandon(): Promise<boolean | undefined>
}

/** A lease in every Redis of the cache, extended while the loader runs, so that a crash of its owner is noticed soon. */
export class RedisLease implements Lease {
  readonly #members: readonly RedisMember[]
  readonly #possessions: readonly Possession[]
  readonly #lock: HeldLock
  readonly #key: string
  #ended = false
  #stopListening: () => void = () => {}

  constructor(members: readonly RedisMember[], possessions: readonly Possession[], lock: HeldLock, key: string) {
    this.#members = members
    this.#possessions = possessions
    this.#lock = lock
    this.#key = key
  }

  onLost(listener: (reason: unknown) => void): void {
    const { signal } = this.#lock
    this.#stopListening = onAbort(signal, () => listener(signal.reason))
  }

  commit(payload: Uint8Array, storing: Storing, loadTime: number): Promise<boolean | undefined> {
    return this.#end(
      (store, possession) => store.commit(this.#key, possession, payload, storing, loadTime),
      // Where nothing can be written (out of memory, say), waiters can still be told, and the lease still be deleted.
      (store, { token }) => store.deliver(this.#key, token, payload),
    )
  }

  deliver(payload: Uint8Array): Promise<boolean | undefined> {
    return this.#end((store, { token }) => store.deliver(this.#key, token, payload))
  }

  fail(failure: RemoteFailure): Promise<boolean | undefined> {
    return this.#end((store, { token }) => store.fail(this.#key, token, failure))
  }

  pass(duration: number): Promise<boolean | undefined> {
    return this.#end(
      (store, { token }) => store.pass(this.#key, token, duration),
      (store, { token }) => store.abandon(this.#key, token),
    )
  }

  abandon(): Promise<boolean | undefined> {
    return this.#end((store, { token }) => store.abandon(this.#key, token))
  }

  /** Ends the lease on every member, the last first; where one had lost it, the rest are only given back. */
  async #end(operation: Ending, fallback?: Ending): Promise<boolean | undefined> {
    if (this.#ended) return false
    this.#ended = true
    this.#stopListening()
    this.#lock.forget()
    let outcome: boolean | undefined = true
    for (let i = this.#members.length - 1; i >= 0; i--) {
      const member = this.#members[i] as RedisMember
      const possession = this.#possessions[i] as Possession
      const ending: Ending = outcome === false ? (store, { token }) => store.abandon(this.#key, token) : operation
      const ended = await member.attempt((store) => ending(store, possession))
      if (ended === undefined && fallback !== undefined) await member.attempt((store) => fallback(store, possession))
      if (outcome !== false && ended !== true) outcome = ended
    }
    return outcome
  }
}

type Ending = (store: RedisStore, possession: Possession) => Promise<boolean>

const held = (): Promise<boolean> => Promise.resolve(true)

/** Stands in where no other process takes part: without Redis, and while Redis cannot be reached. */
export const localLease: Lease = {
  onLost: () => {},
  commit: held,
  deliver: held,
  fail: held,
  pass: held,
  abandon: held,
}
