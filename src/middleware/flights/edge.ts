import type { FollowedHead, Outlet, OutletListener } from '../fill/sink.ts'
import type { ResponseHead, Source, SourceObserver, SourceTerms } from '../fill/source.ts'
import type { Baseline, FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

/**
 * Where a request came in and its answer goes out. Flights and fills know nothing else of a server. An error for one
 * client affects no other: none of the answering functions throws.
 */
export interface Edge {
  /** What outer layers had put on the response before us. */
  readonly baseline: Baseline
  /** Whether the client has left, or somebody has begun to answer it. */
  readonly isOver: boolean
  /** Whether the handler can run without a client, in the place of this request. */
  readonly canStandIn: boolean
  /** Answers with what the client has asked for of a stored response. */
  answer(stored: StoredResponse, fields: FieldBlock): void
  /** Answers with nothing but a status. `retryAfter`: the seconds after which to try again. */
  refuse(status: number, cacheStatus: string, retryAfter?: number): void
  /** Begins an answer that goes on as the run does. */
  follow(head: FollowedHead, listener: OutletListener): Outlet
  /** Prepares a run of the handler. Throws for a request or response of an unknown kind. */
  open(observer: SourceObserver, terms: SourceTerms): Source
  /** Runs the handler for its own client alone. `label` makes the Cache-Status from the head. */
  runAlone(label: (head: ResponseHead) => string): void
  /** Calls back when this request is answered and a run may take its place. */
  whenFree(callback: () => void): void
}
