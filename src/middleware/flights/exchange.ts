import type { ResourceKeys } from '../request/resource-keys.ts'
import type { Baseline, RequestFields } from '../rules/fields.ts'
import type { Asked, Policy } from '../rules/storable.ts'
import type { VaryIndex } from '../stored/vary-index.ts'
import type { WaitUntil } from '../wait-until.ts'
import type { Edge } from './edge.ts'

interface ExchangeParts {
  edge: Edge
  keys: ResourceKeys
  asked: Asked
  headers: RequestFields
  narrowing: RequestFields
  narrowed: boolean
  lastEventId: string | undefined
  policy: Policy
  isHead: boolean
  origin: string
  waitUntil: WaitUntil | undefined
}

/** A request that no stored response answered at once, until it has its answer. */
export class Exchange {
  readonly edge: Edge
  /**
   * The request's fields as they came, in the form that selects a variant. A copy: handlers may change the request's own
   * fields, and that must not change the key.
   */
  readonly headers: RequestFields
  /** The fields by which a client asks for less than the whole, as they came. */
  readonly narrowing: RequestFields
  /** Whether the client asks for less: a part, or a 304. */
  readonly narrowed: boolean
  readonly isHead: boolean
  /** The last event of an event stream that the client says it has. */
  readonly lastEventId: string | undefined
  /** Scheme and host. */
  readonly origin: string
  /** The key of the responses to such requests, or of the index of their variants. */
  readonly rootKey: string
  /** The key of its response: `rootKey`, or the key of a variant once an index is known. */
  key: string
  /** The index that `key` was made with. */
  index: VaryIndex | undefined
  readonly keys: ResourceKeys
  readonly asked: Asked
  /** What the options say of its response. An inner middleware may say more. */
  policy: Policy
  /** What outer layers had put on the response before us: they will do so for every request. */
  readonly baseline: Baseline
  readonly waitUntil: WaitUntil | undefined
  /** Why it was not answered from the store. */
  reason: 'uri-miss' | 'vary-miss' | 'stale' = 'uri-miss'
  /** How many fills that it waited for have brought no answer. */
  attempts = 0

  constructor(parts: ExchangeParts) {
    const { edge, keys, asked, headers, narrowing, policy, narrowed, lastEventId, isHead, origin, waitUntil } = parts
    this.edge = edge
    this.headers = { ...headers }
    this.narrowing = narrowing
    this.narrowed = narrowed
    this.isHead = isHead
    this.lastEventId = lastEventId
    this.origin = origin
    this.waitUntil = waitUntil
    this.policy = policy
    this.keys = keys
    this.rootKey = keys.own
    this.key = keys.own
    this.asked = asked
    this.baseline = edge.baseline
  }

  /** Changes to the variant that its request selects. */
  select(index: VaryIndex): void {
    this.index = index
    this.key = index.variantKey(this.rootKey, this.headers)
    this.reason = 'vary-miss'
  }
}
