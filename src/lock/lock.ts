/** A lock that was acquired. It ends by `release`, or at the end of its ttl. */
export interface Lock extends AsyncDisposable {
  readonly key: string
  /** Random proof of ownership: what stands in Redis under the key. */
  readonly token: string
  /**
   * A number that grows from one holder of the key to the next, if `fencing` was asked for. Storage that remembers the
   * highest number it has seen can refuse writers that were overtaken.
   */
  readonly fencingToken?: number
  /**
   * Aborts with a `LockLostError` at the instant at which the lock is known, or must be presumed, to be lost: it was
   * found taken or deleted, or its time ran out on this process's own clock. Never aborts after `release`.
   */
  readonly signal: AbortSignal
  /**
   * Gives the lock up, on every instance in reverse order, each tried whatever the others say. The first waiter gets
   * it at once.
   *
   * Rejects with `LockNotHeldError` when it had expired, was deleted or taken, or was released before; with Redis's
   * error or a `RedisTimeoutError` when one instance is all there is; with a `LockReleaseError` that lists the errors
   * when there are several and some did not answer. After such an error it may be called again.
   */
  release(): Promise<void>
  /**
   * Sets the time that the lock has left to `ttl` ms. Never takes a lock anew that was lost: then it rejects with
   * `LockNotHeldError`. Redis's errors surface as they are; the lock is held on until its time runs out.
   */
  extend(ttl: number): Promise<void>
  /** Resolves with the ms that Redis gives the lock, the least of all instances; 0 when it is no longer held. */
  ttl(): Promise<number>
  /** `release`, unless that was done before: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}
