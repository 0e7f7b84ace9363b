/** A value and how long it may be used. Times are on the monotonic clock of the process. */
export interface Entry<V = unknown> extends Life {
  readonly value: V
}

/** How long a value may be used, and what else is known of it. */
export interface Life {
  readonly freshUntil: number
  /** End of `staleWhileRevalidate`. */
  readonly staleUntil: number
  /** End of `staleIfError`. */
  readonly errorUntil: number
  /** ms that the loader took. */
  readonly loadTime: number
  /** In readable form. */
  readonly tags: readonly string[]
}

/** An entry that has just come from Redis. Nobody else has its value yet. */
export interface ReadEntry<V = unknown> extends Entry<V> {
  /** Size of the encoded value. */
  readonly bytes: number
  /** Decodes the value again: a new object, equal to the first. */
  again(): V
}
