import { byteLengthOf, type Encoded } from './codec.ts'

/** How to store a value. Durations are in ms from the moment at which it is stored. */
export interface Storing {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** In readable form. */
  readonly tags: readonly string[]
}

export const NOT_KEPT: Storing = { ttl: 0, staleWhileRevalidate: 0, staleIfError: 0, tags: [] }

/** ms for which the bytes stay in Redis. */
export function storedFor({ ttl, staleWhileRevalidate, staleIfError }: Storing): number {
  return ttl + Math.max(staleWhileRevalidate, staleIfError)
}

/** The form that the scripts read. They turn the durations into times. */
export function lifeOf({ ttl, staleWhileRevalidate, staleIfError }: Storing): string {
  return `${ttl} ${staleWhileRevalidate} ${staleIfError}`
}

/** Values up to this many bytes travel inside the message that wakes waiters. Each process reads larger ones itself. */
export const LARGEST_IN_MESSAGE: number = 64 * 1024

/** Whether it may travel inside a message. */
export function fitsInMessage(encoded: Encoded): boolean {
  return encoded.length <= LARGEST_IN_MESSAGE && byteLengthOf(encoded) <= LARGEST_IN_MESSAGE
}
