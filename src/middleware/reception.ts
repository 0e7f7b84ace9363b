import type { Cache } from '../cache/cache.ts'
import { createMemoryCache } from '../cache/memory-cache.ts'
import { insideOf, type Outcomes } from '../cache/watch/inside.ts'
import type { Clock } from '../clock.ts'
import { wrongType } from '../errors.ts'
import type { Random } from '../random.ts'
import type { NarrowingRequest } from './answer/narrowed.ts'
import type { Edge } from './flights/edge.ts'
import { Exchange } from './flights/exchange.ts'
import { HttpFlights } from './flights/http-flights.ts'
import { changedBy } from './invalidation.ts'
import { type OptionsFor, refinedPolicy, resolveOptions, type Settings } from './options.ts'
import { bypassReason, isUnsafe, markHandled, outerFlightOf, requestDirectives } from './request/bypass.ts'
import { narrowingRequest } from './request/narrowing.ts'
import { originOf } from './request/origin.ts'
import { plainKey, resourceKey } from './request/request-key.ts'
import type { RequestView } from './request/request-view.ts'
import { allKeys, keysOf } from './request/resource-keys.ts'
import { selectingFields } from './request/selecting-fields.ts'
import { cacheStatusForward } from './rules/cache-status.ts'
import type { FieldBlock, FieldMap, RequestFields } from './rules/fields.ts'
import { invalidatedTags } from './stored/groups.ts'
import { find, lookUp, peekVariant } from './stored/look-up.ts'
import type { Stored } from './stored/stored-codec.ts'
import type { StoredResponse } from './stored/stored-response.ts'
import { VaryIndex } from './stored/vary-index.ts'
import type { WaitUntil } from './wait-until.ts'

/** A request that has come to an edge, and what that edge can do with it. */
export interface Arrival<Native extends object> {
  readonly request: RequestView<Native>
  /** Whether somebody has begun to answer it. */
  readonly isAnswered: boolean
  /** That of the request's host. Never throws. */
  readonly waitUntil: WaitUntil | undefined
  /** Answers with what `narrowing` asks for of a stored response. */
  answer(narrowing: NarrowingRequest, stored: StoredResponse, fields: FieldBlock): void
  /** Leaves the request to its handler. */
  pass(passing: Passing): void
  /** Makes an edge, for a request that no stored response answers at once. */
  edge(narrowing: NarrowingRequest): Edge
}

/** What to do with an answer that the handler makes for its client alone. */
export interface Passing {
  /** Its Cache-Status. `before`: what the handler says in this field. */
  label(before: string | undefined, status?: number): string
  /** For an unsafe request: called before its client can see the answer. */
  readonly onAnswer: ((status: number, fields: FieldMap) => void) | undefined
}

/** Clock and random source, which tests replace. Those of the cache come first: both must agree on what is fresh. */
export interface Doors {
  readonly clock: Clock
  readonly random: Random
}

const GATEWAY_TIMEOUT = 504

/**
 * Receives the requests of one middleware. Answers from what is stored, leaves requests that do not concern the cache to
 * their handlers, and makes exchanges of the others.
 */
export class Reception<Native extends object> {
  readonly cache: Cache
  readonly settings: Settings<Native>
  /** The cache's clock. */
  readonly clock: Clock
  readonly #options: OptionsFor<Native>
  readonly #flights: HttpFlights
  readonly #outcomes: Outcomes | undefined
  readonly #stopListening: () => void
  /** Whether the key of a request is made from its URL, and not by the options `key` and `keyHeaders`. */
  readonly #keysAreUrls: boolean

  /** @throws TypeError or RangeError for options that cannot be honoured */
  constructor(options: OptionsFor<Native>, doors: Doors) {
    const settings = resolveOptions(options)
    const memory = { maxEntries: 10_000, maxBytes: 256 * 1024 * 1024 }
    this.#options = options
    this.settings = settings
    this.cache = options.cache ?? createMemoryCache({ ttl: 1, memory }, doors.clock, doors.random)
    const { outcomes, doors: { clock, random } = doors } = insideOf(this.cache)
    this.clock = clock
    this.#outcomes = outcomes
    this.#flights = new HttpFlights(this.cache, settings, clock, random)
    this.#keysAreUrls = settings.key === undefined && settings.keyHeaders.length === 0
    // After an invalidation, in any process, no request joins a fill that began before it.
    this.#stopListening = this.cache.on('invalidated', ({ key }) => {
      if (key === undefined) this.#flights.forgetAll()
      else this.#flights.forget([key])
    })
  }

  /** Whether most requests can be answered by `plainHit`. */
  get knowsPlainHits(): boolean {
    return this.#keysAreUrls && this.settings.bypass === undefined
  }

  /**
   * The fresh response in memory for a plain GET with this Host, at the least cost. Undefined if more must be looked at.
   * Call it only if `knowsPlainHits`.
   */
  plainHit(request: RequestView<Native>, host: string): StoredResponse | undefined {
    const { settings } = this
    if (outerFlightOf(request.native) !== undefined) return undefined
    const key = `Ga${plainKey(request, host, settings)}`
    const stored = peekVariant(this.cache, key, () => selectingFields(request.headers, settings))
    if (stored === undefined || stored.mustValidate || stored.isEventStream) return undefined
    this.#outcomes?.hit(key)
    return stored
  }

  receive(arrival: Arrival<Native>): void {
    const { request } = arrival
    const { settings, clock } = this
    const outer = outerFlightOf(request.native)
    if (outer !== undefined) outer.policy = refinedPolicy(outer.policy, this.#options, settings, request.native)
    const isBypassed = (): boolean => arrival.isAnswered || this.#asksForBypass(request.native)
    const bypass = bypassReason(request) ?? (isBypassed() ? 'bypass' : undefined)
    const resource = bypass === 'bypass' ? undefined : resourceKey(request, settings)
    if (bypass !== undefined || resource === undefined) {
      this.#pass(arrival, resource, bypass ?? 'bypass')
      return
    }
    const { headers } = request
    const identity = identityOf(headers, settings)
    const keys = keysOf(resource, request.method === 'HEAD', identity !== NOBODY)
    const selecting = selectingFields(headers, settings)
    const stored = lookUp(this.cache, keys, () => selecting)
    if (stored?.isSelectedBy(selecting)) {
      this.#outcomes?.hit(keys.own)
      this.#answerHit(arrival, stored)
      return
    }
    const stale = stored === undefined ? this.#flights.staleOf(keys.own, clock.wallNow()) : undefined
    if (stale?.isSelectedBy(selecting)) {
      this.#outcomes?.stale(keys.own, 'memory')
      this.#answerHit(arrival, stale)
      return
    }
    const { noStore, onlyIfCached } = requestDirectives(headers)
    if (noStore && !onlyIfCached) {
      this.#pass(arrival, undefined, 'request')
      return
    }
    const narrowing = narrowingRequest(request)
    const edge = arrival.edge(narrowing)
    const resumes = narrowing.lastEventId !== undefined && !settings.shareEventStreams
    const asked = { ...identity, resumes, at: clock.wallNow() }
    const parts = { edge, keys, asked, policy: settings, origin: originOf(request), waitUntil: arrival.waitUntil }
    const exchange = new Exchange({ ...parts, ...narrowing, headers: selecting })
    markHandled(request.native, exchange)
    // A flight would also look into Redis, but for a HEAD only under its own key, and it would run the handler.
    if (onlyIfCached || exchange.isHead) void this.#findFirst(exchange, onlyIfCached)
    else this.#enter(exchange)
  }

  async close(): Promise<void> {
    this.#stopListening()
    if (this.#options.cache === undefined) await this.cache.close()
  }

  async #findFirst(exchange: Exchange, onlyIfCached: boolean): Promise<void> {
    const { edge, keys, headers } = exchange
    const found = await find(this.cache, keys, () => headers)
    if (found !== undefined) {
      this.#outcomes?.hitInRedis(keys.own)
      edge.answer(found, found.hitFields(this.clock.wallNow()))
    } else if (onlyIfCached) {
      edge.refuse(GATEWAY_TIMEOUT, cacheStatusForward({ reason: 'request', detail: 'only-if-cached' }, undefined))
    } else this.#enter(exchange)
  }

  #enter(exchange: Exchange): void {
    const index = this.cache.peek<Stored>(exchange.rootKey)
    if (index instanceof VaryIndex) exchange.select(index)
    this.#flights.enter(exchange)
  }

  #answerHit(arrival: Arrival<Native>, stored: StoredResponse): void {
    arrival.answer(narrowingRequest(arrival.request), stored, stored.hitFields(this.clock.wallNow()))
  }

  #pass(arrival: Arrival<Native>, own: string | undefined, reason: 'method' | 'bypass' | 'request'): void {
    const { request } = arrival
    const label: Passing['label'] = (before, status) =>
      cacheStatusForward({ reason, ...(status !== undefined && { status }) }, before)
    if (reason !== 'method' || !isUnsafe(request.method)) {
      arrival.pass({ label, onAnswer: undefined })
      return
    }
    const changed = changedBy(request, own, this.settings)
    const origin = originOf(request)
    arrival.pass({
      label,
      onAnswer: (status, fields) => {
        if (status >= 200 && status < 400) this.#invalidate(changed(fields), invalidatedTags(origin, fields))
      },
    })
  }

  /** The cache's own events report failures of Redis. The answer to the client does not wait. */
  #invalidate(resources: readonly string[], tags: readonly string[]): void {
    const keys = resources.flatMap(allKeys)
    this.#flights.forget(keys)
    this.cache.invalidate(keys).catch(() => {})
    if (tags.length === 0) return
    this.#flights.forgetAll()
    this.cache.invalidateTags(tags).catch(() => {})
  }

  #asksForBypass(native: Native): boolean {
    const { bypass } = this.settings
    if (bypass === undefined) return false
    const answer = bypass(native)
    if (typeof answer !== 'boolean') throw wrongType('the result of bypass', 'a boolean', answer)
    return answer
  }
}

interface Identity {
  readonly authorization: boolean
  readonly cookie: boolean
}

const NOBODY: Identity = { authorization: false, cookie: false }

/** Which credentials the request carries. */
function identityOf(headers: RequestFields, { ignoreCookies }: Settings<never>): Identity {
  const authorization = headers['authorization'] !== undefined
  const cookie = headers['cookie'] !== undefined && !ignoreCookies
  return authorization || cookie ? { authorization, cookie } : NOBODY
}
