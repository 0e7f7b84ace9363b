import type { Baseline, FieldBlock } from '../rules/fields.ts'
import { type RunTerms, wholeRequest } from './whole-request.ts'

/** How a request goes on to its handler, and what layers outside have done for its answer. */
export interface Route {
  /** Runs the handler, for the request's own client: by `terms`, or on the request as it came. */
  run(terms?: RunTerms): Response | Promise<Response>
  /** Runs it once more, for nobody; undefined where that is not possible. */
  readonly standIn: ((terms: RunTerms) => Response | Promise<Response>) | undefined
  /** Calls back when `standIn` may take the place of the request, which has its answer. */
  whenFree(callback: () => void): void
  /** What layers outside had put on the response before us. */
  readonly baseline: Baseline
  /** The fields of an answer from the store beside theirs: without those that the handler took away. */
  besideOuter(removed: readonly string[], joins: readonly string[], fields: FieldBlock): FieldBlock
}

/** That of a function that can be called as often as one likes, with nothing outside. */
export function plainRoute(request: Request, next: (request: Request) => Response | Promise<Response>): Route {
  const run = (terms?: RunTerms): Response | Promise<Response> =>
    next(terms === undefined ? request : wholeRequest(request, terms))
  return { run, standIn: run, whenFree: callAtOnce, baseline: [], besideOuter: (_removed, _joins, fields) => fields }
}

/** Where each run has a `Response` of its own. */
export function callAtOnce(callback: () => void): void {
  callback()
}
