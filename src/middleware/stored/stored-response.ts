import { cacheStatusForward, cacheStatusHit, type Forwarded } from '../rules/cache-status.ts'
import { isEventStream } from '../rules/event-stream.ts'
import { blockOf, type FieldBlock, FieldMap, type FlatFields, type RequestFields, without } from '../rules/fields.ts'
import type { Lifetime } from '../rules/storable.ts'
import { selectingValue } from '../rules/vary.ts'

/** A whole response as it is kept. All readers share it, and it never changes. */
export interface StoredParts {
  readonly status: number
  readonly statusMessage: string
  /** Without fields of a connection. Date is always present, Age and Cache-Status never. */
  readonly fields: FlatFields
  /** Lower-case names of fields that outer layers had set and the handler took away. */
  readonly removed: readonly string[]
  /** Lower-case names of fields that add to what outer layers set, instead of replacing it. */
  readonly joins: readonly string[]
  readonly body: Buffer
  /** Wall clock when the header came, ms. */
  readonly respondedAt: number
  readonly lifetime: Lifetime
  /** It must not be sent before the handler has said that it is still good: RFC 9111 sections 4.3 and 5.2.2.4. */
  readonly mustValidate: boolean
  readonly explicit: boolean
  /** The names that Vary lists, and what the request said in each: `null` if nothing. */
  readonly selecting: ReadonlyArray<readonly [name: string, value: string | null]>
}

/** Fields that are made anew for every answer. */
const MADE_ANEW = new Set(['age', 'cache-status'])

export class StoredResponse implements StoredParts {
  readonly status: number
  readonly statusMessage: string
  readonly fields: FlatFields
  readonly removed: readonly string[]
  readonly joins: readonly string[]
  readonly body: Buffer
  readonly respondedAt: number
  readonly lifetime: Lifetime
  readonly mustValidate: boolean
  readonly explicit: boolean
  readonly selecting: ReadonlyArray<readonly [name: string, value: string | null]>
  /** Whether none of its fields depends on those that outer layers set. */
  readonly standsAlone: boolean
  /** Whether a request may ask for what follows one of its events. */
  readonly isEventStream: boolean
  readonly #fieldMap: FieldMap
  /** The header block of a hit, updated when a second has passed: Age has whole seconds. */
  readonly #block: FieldBlock
  #blockAge = -1

  constructor(parts: StoredParts) {
    this.status = parts.status
    this.statusMessage = parts.statusMessage
    this.fields = parts.fields
    this.removed = parts.removed
    this.joins = parts.joins
    this.body = parts.body
    this.respondedAt = parts.respondedAt
    this.lifetime = parts.lifetime
    this.mustValidate = parts.mustValidate
    this.explicit = parts.explicit
    this.selecting = parts.selecting
    this.#fieldMap = new FieldMap(parts.fields)
    this.standsAlone = parts.removed.length === 0 && parts.joins.length === 0 && !this.#fieldMap.has('vary')
    this.isEventStream = isEventStream(this.#fieldMap.get('content-type'))
    this.#block = [...blockOf(without(parts.fields, MADE_ANEW)), 'Age', '', 'Cache-Status', '']
  }

  get(name: string): string | undefined {
    return this.#fieldMap.get(name)
  }

  get etag(): string | undefined {
    return this.#fieldMap.get('etag')
  }

  get lastModified(): string | undefined {
    return this.#fieldMap.get('last-modified')
  }

  get date(): string | undefined {
    return this.#fieldMap.get('date')
  }

  /** Age in ms, RFC 9111 section 4.2.3. */
  age(now: number): number {
    return this.lifetime.age + Math.max(0, now - this.respondedAt)
  }

  /** ms of freshness left; negative once stale. */
  freshFor(now: number): number {
    return this.lifetime.freshness - this.age(now)
  }

  mayServeStale(now: number): boolean {
    return this.freshFor(now) + this.lifetime.staleWhileRevalidate > 0
  }

  mayServeOnError(now: number): boolean {
    return this.freshFor(now) + this.lifetime.staleIfError > 0
  }

  /** Whether it may replace a failure, or `wasSent` already and may be sent for some time. */
  mayReplaceFailure(now: number, wasSent: boolean): boolean {
    return this.mayServeOnError(now) || (wasSent && this.mayServeStale(now))
  }

  /** Fields of a hit at this moment. The array is reused: callers must not keep it. */
  hitFields(now: number): FieldBlock {
    const age = Math.floor(this.age(now) / 1000)
    if (age !== this.#blockAge) {
      const block = this.#block
      block[block.length - 3] = String(age)
      block[block.length - 1] = cacheStatusHit(this.freshFor(now), this.get('cache-status'))
      this.#blockAge = age
    }
    return this.#block
  }

  /** Fields of an answer to requests that have just waited for it. */
  forwardedFields(now: number, forwarded: Forwarded): FieldBlock {
    const fields = blockOf(without(this.fields, MADE_ANEW))
    const age = Math.floor(this.age(now) / 1000)
    if (age > 0) fields.push('Age', String(age))
    fields.push('Cache-Status', cacheStatusForward(forwarded, this.get('cache-status')))
    return fields
  }

  /** Whether a request with these headers selects this response: RFC 9111 section 4.1. */
  isSelectedBy(headers: RequestFields): boolean {
    for (const [name, value] of this.selecting) {
      if ((selectingValue(headers, name) ?? null) !== value) return false
    }
    return true
  }
}
