/** A lock library in its documented best set-up. */
export interface Contender {
  readonly name: string
  connect(url: string): Promise<Connected>
}

export interface Connected {
  /** Waits for the lock; resolves with what releases it. */
  acquire(key: string, ttl: number): Promise<() => Promise<unknown>>
  close(): Promise<void>
}
