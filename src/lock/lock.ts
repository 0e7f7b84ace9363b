/** An acquired lock. It ends with `release`, or at the end of its ttl. */
export interface Lock extends AsyncDisposable {
  readonly key: string
  /** Random proof of ownership: the value of the key in Redis. */
  readonly token: string
  /**
   * A number that grows from one holder of the key to the next, if `fencing` was set. Storage that remembers the highest
   * number it has seen can refuse writers that were overtaken.
   */
  readonly fencingToken?: number
  /**
   * Aborts with a `LockLostError` as soon as the lock is lost, or may be: it was found taken or deleted, or its time ran
   * out on this process's own clock. Never aborts after `release`.
   */
  readonly signal: AbortSignal
  /**
   * Gives the lock up, on every instance in reverse order. Each instance is tried, even if others fail. The first waiter
   * gets the lock at once.
   *
   * Rejects with `LockNotHeldError` when the lock had expired, was deleted or taken, or was released before. When Redis
   * fails, rejects with its error or a `RedisTimeoutError` if there is one instance, and with a `LockReleaseError` that
   * lists the errors if there are several. After such an error it may be called again.
   */
  release(): Promise<void>
  /**
   * Sets the time that the lock has left to `ttl` ms. Never takes a lost lock again: then it rejects with
   * `LockNotHeldError`. Errors of Redis are passed on as they are; the lock is then held until its time runs out.
   */
  extend(ttl: number): Promise<void>
  /** Resolves with the ms that the lock has left in Redis, the lowest of all instances; 0 when it is no longer held. */
  ttl(): Promise<number>
  /** Calls `release` unless it was called before: for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}
