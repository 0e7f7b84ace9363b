import { onAbort } from '../abort.ts'
import type { HeldLock } from '../lock/held-lock.ts'
import type { RedisStore, RemoteFailure, StoredLifetime } from '../store/redis-store.ts'

/**
 * The right of one refill to store its result. Each of the endings ends it and resolves with whether it was still held,
 * with `undefined` when Redis failed, which is then reported. None rejects. Only the first ending counts.
 */
export interface Lease {
  /** Calls `listener` once if the lease is lost before it is ended. */
  onLost(listener: (reason: unknown) => void): void
  /** Stores the value and hands it to waiters. */
  commit(payload: Uint8Array, lifetime: StoredLifetime, loadTime: number): Promise<boolean | undefined>
  /** Hands the value to waiters without storing it. */
  deliver(payload: Uint8Array, lifetime: StoredLifetime): Promise<boolean | undefined>
  /** Hands the failure to waiters. */
  fail(failure: RemoteFailure): Promise<boolean | undefined>
  /** Waiters, and those who follow for `duration` ms, load for themselves. */
  pass(duration: number): Promise<boolean | undefined>
  /** Waiters compete again. */
  abandon(): Promise<boolean | undefined>
}

/** A lease in Redis, extended while the loader runs, so that the end of its owner is noticed quickly. */
export class RedisLease implements Lease {
  readonly #store: RedisStore
  readonly #lock: HeldLock
  readonly #key: string
  /** Runs an operation; reports its failure and resolves with `undefined`. */
  readonly #attempt: <T>(operation: () => Promise<T>) => Promise<T | undefined>
  #ended = false
  #stopListening: () => void = () => {}

  constructor(
    store: RedisStore,
    lock: HeldLock,
    key: string,
    attempt: <T>(operation: () => Promise<T>) => Promise<T | undefined>,
  ) {
    this.#store = store
    this.#lock = lock
    this.#key = key
    this.#attempt = attempt
  }

  onLost(listener: (reason: unknown) => void): void {
    const { signal } = this.#lock
    this.#stopListening = onAbort(signal, () => listener(signal.reason))
  }

  async commit(payload: Uint8Array, lifetime: StoredLifetime, loadTime: number): Promise<boolean | undefined> {
    const { token } = this.#lock
    const stored = await this.#end(() => this.#store.commit(this.#key, token, payload, lifetime, loadTime))
    // Where nothing can be written (out of memory, say), waiters can still be told, and the lease still be deleted.
    if (stored === undefined) await this.#attempt(() => this.#store.deliver(this.#key, token, payload, lifetime))
    return stored
  }

  deliver(payload: Uint8Array, lifetime: StoredLifetime): Promise<boolean | undefined> {
    return this.#end(() => this.#store.deliver(this.#key, this.#lock.token, payload, lifetime))
  }

  fail(failure: RemoteFailure): Promise<boolean | undefined> {
    return this.#end(() => this.#store.fail(this.#key, this.#lock.token, failure))
  }

  async pass(duration: number): Promise<boolean | undefined> {
    const { token } = this.#lock
    const stored = await this.#end(() => this.#store.pass(this.#key, token, duration))
    if (stored === undefined) await this.#attempt(() => this.#store.abandon(this.#key, token))
    return stored
  }

  abandon(): Promise<boolean | undefined> {
    return this.#end(() => this.#store.abandon(this.#key, this.#lock.token))
  }

  async #end(operation: () => Promise<boolean>): Promise<boolean | undefined> {
    if (this.#ended) return false
    this.#ended = true
    this.#stopListening()
    this.#lock.forget()
    return this.#attempt(operation)
  }
}

const held = (): Promise<boolean> => Promise.resolve(true)

/** Stands in where no other process takes part: without Redis, and while Redis cannot be reached. */
export const localLease: Lease = { onLost: () => {}, commit: held, deliver: held, fail: held, pass: held, abandon: held }
