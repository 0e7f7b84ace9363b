import type { FollowedHead, Outlet, OutletListener } from '../fill/sink.ts'
import type { ResponseHead, Source, SourceObserver, SourceTerms } from '../fill/source.ts'
import type { Baseline, FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

/**
 * Where a request came in and its answer goes out: all that flights and fills know of a server. What goes wrong for one
 * client stays there: none of the answering functions throws.
 */
export interface Edge {
  /** What outer layers had put on the response before us. */
  readonly baseline: Baseline
  /** Whether the client has left, or somebody has begun to answer it. */
  readonly isOver: boolean
  /** Whether the handler can be run for nobody, in the place of this request. */
  readonly canStandIn: boolean
  /** Answers with a stored response what the client has asked for. */
  answer(stored: StoredResponse, fields: FieldBlock): void
  /** Answers with nothing but a status, and with the seconds after which it is worth trying again, if given. */
  refuse(status: number, cacheStatus: string, retryAfter?: number): void
  /** Begins an answer that goes on as the run does. */
  follow(head: FollowedHead, listener: OutletListener): Outlet
  /** Prepares a run of the handler. Throws for a request or response of a kind that is not understood. */
  open(observer: SourceObserver, terms: SourceTerms): Source
  /** Runs the handler for its own client alone; `label` makes its Cache-Status of the head. */
  runAlone(label: (head: ResponseHead) => string): void
  /** Calls back when a run may take the place of this request, which has its answer. */
  whenFree(callback: () => void): void
}
