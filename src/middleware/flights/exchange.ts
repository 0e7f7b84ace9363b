import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Baseline } from '../node/background.ts'
import { isNarrowed } from '../request/narrowing.ts'
import type { ResourceKeys } from '../request/resource-keys.ts'
import type { RequestFields } from '../rules/fields.ts'
import type { Asked, Policy } from '../rules/storable.ts'
import type { VaryIndex } from '../stored/vary-index.ts'

/** Takes an error of the handler; `goOn` hands it to whoever would have got it without us. */
export type OnError = (error: unknown, goOn: () => void) => void

/** Runs the handler: for the request's own response, or for one that stands in for it. */
export type RunHandler = (req: IncomingMessage, res: ServerResponse, onError: OnError) => void

/** A request that no stored response answered at once, until it has its answer. */
export class Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /**
   * The request's fields as they came and as they choose among variants: handlers may change those of the request, and
   * that must not change the key.
   */
  readonly headers: RequestFields
  /** Where responses to requests like it belong, or the index of their variants. */
  readonly rootKey: string
  /** Where its response belongs: `rootKey`, or the key of a variant once an index is known. */
  key: string
  /** The index that `key` was made with. */
  index: VaryIndex | undefined
  readonly keys: ResourceKeys
  readonly asked: Asked
  /** What the options say of its response; a middleware further in may say more. */
  policy: Policy
  /** What outer layers had put on the response before us: they will do so for every request. */
  readonly baseline: Baseline
  /** Whether a part or a 304 was asked for. */
  readonly narrowed: boolean
  /** Why it was not answered from the store. */
  reason: 'uri-miss' | 'vary-miss' | 'stale' = 'uri-miss'
  /** How many fills that it waited for have come to nothing. */
  attempts = 0
  /** What the last of them failed with, and how often that was met again. */
  failure: unknown
  patience = 0
  /** `wrap` alone: the handler can be called with another response. */
  readonly detachable: boolean
  readonly #run: RunHandler
  readonly #scope: AsyncResource

  constructor(parts: {
    req: IncomingMessage
    res: ServerResponse
    keys: ResourceKeys
    asked: Asked
    headers: RequestFields
    policy: Policy
    detachable: boolean
    run: RunHandler
  }) {
    this.req = parts.req
    this.res = parts.res
    this.headers = { ...parts.headers }
    this.policy = parts.policy
    this.keys = parts.keys
    this.rootKey = parts.keys.own
    this.key = parts.keys.own
    this.asked = parts.asked
    this.detachable = parts.detachable
    this.narrowed = isNarrowed(parts.req.headers)
    this.#run = parts.run
    this.baseline = Object.entries(parts.res.getHeaders()).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value : String(value)] as const],
    )
    this.#scope = new AsyncResource('herdlock.Exchange', { requireManualDestroy: true })
  }

  /** Whether its client has left, or it was answered already. */
  get isOver(): boolean {
    const { res, req } = this
    return res.writableEnded || res.destroyed || req.socket?.destroyed === true
  }

  /**
   * Runs the handler in the request's own asynchronous context, whoever made it go on: a handler that looks up "the
   * current user" there must never find another's.
   */
  run(res: ServerResponse, onError: OnError): void {
    this.within(() => this.#run(this.req, res, onError))
  }

  /** Goes over to the variant that its request selects. */
  select(index: VaryIndex): void {
    this.index = index
    this.key = index.variantKey(this.rootKey, this.headers)
    this.reason = 'vary-miss'
  }

  within(callback: () => void): void {
    this.#scope.runInAsyncScope(callback)
  }
}
