import { FillBudget } from '../../../../src/middleware/fill/fill-budget.ts'
import { Fill } from '../../../../src/middleware/fill/fill.ts'
import type { KeptFor } from '../../../../src/middleware/rules/kept-for.ts'
import { StoredResponse, type StoredParts } from '../../../../src/middleware/stored/stored-response.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import type { FakeClient, FakeRun } from './fake-edge.ts'
import { exchangeOf, type FakeExchange, type FakeRequest } from './fake-exchange.ts'

export const LOAD_TIMEOUT = 10_000
export const STALL_TIMEOUT = 3_000
export const MAX_BODY = 10
export const ROOM = 100

export interface FillGiven {
  request?: FakeRequest
  /** Fields that layers outside put on the response of the run's own client. */
  outerFields?: readonly string[]
  stale?: StoredResponse | undefined
  hasClient?: boolean
  forOthers?: boolean
  roomTaken?: number
  clock?: FakeClock
}

/** A fill that has begun, and all that it does to those around it. */
export interface FillLab {
  readonly clock: FakeClock
  readonly budget: FillBudget
  readonly fill: Fill
  readonly leader: FakeExchange
  /** The handler, driven by the test. */
  readonly handler: FakeRun
  /** The run's own client. */
  readonly client: FakeClient
  /** What the fill has told its flight and its cache, in order. */
  readonly told: readonly string[]
  readonly keptFor: readonly KeptFor[]
  /** What the fill has come to. */
  readonly result:
    | { state: 'pending' }
    | { state: 'yielded'; response: StoredResponse | undefined }
    | { state: 'failed'; error: unknown }
  abort(reason: unknown): void
  /** A request that waits and asks to follow. */
  follow(request?: FakeRequest): { followed: boolean; client: FakeClient; exchange: FakeExchange }
}

export function beginFill(given: FillGiven = {}): FillLab {
  const { clock = new FakeClock(), hasClient = true, forOthers = true } = given
  const budget = new FillBudget(ROOM)
  if (given.roomTaken !== undefined) budget.take(given.roomTaken)
  const leader = exchangeOf({ at: clock.wallNow(), ...given.request })
  leader.edge.outerFields = given.outerFields ?? []
  const controller = new AbortController()
  const told: string[] = []
  const keptFor: KeptFor[] = []
  const context = {
    stale: given.stale,
    signal: controller.signal,
    cacheFor: (kept: object) => void keptFor.push(kept as KeptFor),
    doNotShare: () => void told.push('doNotShare'),
  }
  const host = {
    onShare: () => void told.push('onShare'),
    onUnshared: (lasting: boolean) => void told.push(`onUnshared(${lasting})`),
  }
  const targetedFields = ['singleflight-cache-control']
  const rules = { maxBodyBytes: MAX_BODY, stallTimeout: STALL_TIMEOUT, targetedFields, shareEventStreams: false }
  const surroundings = { rules, clock, budget, loadTimeout: LOAD_TIMEOUT }
  const fill = new Fill({ exchange: leader, hasClient, forOthers, context, host }, surroundings)
  const handler = leader.edge.run
  let result: FillLab['result'] = { state: 'pending' }
  fill.result.then(
    (response) => (result = { state: 'yielded', response }),
    (error: unknown) => (result = { state: 'failed', error }),
  )
  fill.start()
  return {
    ...{ clock, budget, fill, leader, handler, client: handler.client, told, keptFor },
    get result() {
      return result
    },
    abort: (reason) => controller.abort(reason),
    follow(request) {
      const exchange = exchangeOf({ at: clock.wallNow(), ...request })
      return { followed: fill.follow(exchange), client: exchange.edge.client, exchange }
    },
  }
}

/** A response as it is stored, an hour old by default. */
export function storedResponse(clock: FakeClock, parts: Partial<StoredParts> = {}): StoredResponse {
  return new StoredResponse({
    ...{ status: 200, statusMessage: 'OK', removed: [], joins: [], selecting: [] },
    fields: [
      'ETag',
      '"old"',
      'Date',
      'Mon, 01 Jan 2024 00:00:00 GMT',
      'Cache-Control',
      'max-age=60',
      'Content-Length',
      '5',
    ],
    body: Buffer.from('stale'),
    respondedAt: clock.wallNow() - 3_600_000,
    lifetime: { age: 0, freshness: 60_000, staleWhileRevalidate: 0, staleIfError: 0 },
    ...{ mustValidate: false, explicit: false },
    ...parts,
  })
}
