/** A value and how long it may be used. Instants are those of the process's monotonic clock. */
export interface Entry<V = unknown> {
  readonly value: V
  readonly freshUntil: number
  /** End of `staleWhileRevalidate`. */
  readonly staleUntil: number
  /** End of `staleIfError`. */
  readonly errorUntil: number
  /** ms that the loader took. */
  readonly loadTime: number
  readonly tags: readonly string[]
}
