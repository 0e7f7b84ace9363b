import { Exchange } from '../../../../src/middleware/flights/exchange.ts'
import { type OptionsFor, resolveOptions } from '../../../../src/middleware/options.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'
import { keysOf } from '../../../../src/middleware/request/resource-keys.ts'
import type { Baseline, RequestFields } from '../../../../src/middleware/rules/fields.ts'
import type { Asked, Policy } from '../../../../src/middleware/rules/storable.ts'
import { FakeEdge } from './fake-edge.ts'

export interface FakeRequest {
  method?: 'GET' | 'HEAD'
  /** By lower-case name. */
  headers?: RequestFields
  resource?: string
  asked?: Partial<Asked>
  policy?: Partial<Policy>
  options?: OptionsFor<unknown>
  baseline?: Baseline
  /** Wall clock, ms. */
  at?: number
}

export type FakeExchange = Exchange & { readonly edge: FakeEdge }

/** A request that has come in at a fake edge. */
export function exchangeOf({ method = 'GET', headers = {}, at = 0, ...rest }: FakeRequest = {}): FakeExchange {
  const request = narrowingRequest({ method, headers })
  const asked: Asked = { authorization: false, cookie: false, resumes: false, at, ...rest.asked }
  return new Exchange({
    ...request,
    edge: new FakeEdge(request, rest.baseline ?? []),
    keys: keysOf(rest.resource ?? '/', request.isHead, asked.authorization || asked.cookie),
    asked,
    headers,
    policy: { ...resolveOptions(rest.options ?? {}), ...rest.policy },
    origin: 'http://a.example',
    waitUntil: undefined,
  }) as FakeExchange
}
