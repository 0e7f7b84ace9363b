import type { FieldMap } from './fields.ts'
import type { Shared } from './storable.ts'

/** What the cache is told of a response: times in ms, and the groups that it belongs to. */
export interface KeptFor {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly tags: readonly string[]
}

const LEAST_TO_VALIDATE = 5 * 60 * 1000
const MOST_TO_VALIDATE = 24 * 60 * 60 * 1000

/**
 * How long the cache keeps a response. With a validator, it is kept longer than it may be sent: the next fill gets it as a
 * stale value, and can ask whether it is still good.
 */
export function keptFor({ lifetime, mustValidate }: Shared, fields: FieldMap, tags: readonly string[]): KeptFor {
  const toValidate = Math.min(MOST_TO_VALIDATE, Math.max(LEAST_TO_VALIDATE, lifetime.freshness))
  // For the cache it counts as fresh. The response itself says that it must be validated before it is sent.
  if (mustValidate) return { ttl: toValidate, staleWhileRevalidate: 0, staleIfError: 0, tags }
  const left = lifetime.freshness - lifetime.age
  const overdue = Math.min(0, left)
  const canBeValidated = fields.has('etag') || fields.has('last-modified')
  return {
    ttl: Math.max(1, Math.floor(left)),
    staleWhileRevalidate: Math.max(0, Math.floor(lifetime.staleWhileRevalidate + overdue)),
    staleIfError: Math.max(0, Math.floor(lifetime.staleIfError + overdue), canBeValidated ? toValidate : 0),
    tags,
  }
}
