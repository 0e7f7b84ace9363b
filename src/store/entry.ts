/** A value and how long it may be used. Instants are those of the process's monotonic clock. */
export interface Entry<V = unknown> extends Life {
  readonly value: V
}

/** How long something may be used, and what is known of it besides. */
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

/** An entry that has just come from Redis: nobody else has its value yet. */
export interface ReadEntry<V = unknown> extends Entry<V> {
  /** Size of the encoded value. */
  readonly bytes: number
  /** Decodes the value once more: another object, equal to the first. */
  again(): V
}
