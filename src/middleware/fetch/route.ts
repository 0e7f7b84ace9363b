import type { Baseline, FieldBlock } from '../rules/fields.ts'
import { type RunTerms, wholeRequest } from './whole-request.ts'

/** How a request reaches its handler, and what outer layers have set for its answer. */
export interface Route {
  /** Runs the handler for the request's own client, by `terms` or on the request as it came. */
  run(terms?: RunTerms): Response | Promise<Response>
  /** Runs it once more, for no client. Undefined if that is not possible. */
  readonly standIn: ((terms: RunTerms) => Response | Promise<Response>) | undefined
  /** Calls back when the request is answered and `standIn` may run. */
  whenFree(callback: () => void): void
  /** What outer layers had put on the response before us. */
  readonly baseline: Baseline
  /** The fields of a stored answer, combined with the outer ones that the handler did not remove. */
  besideOuter(removed: readonly string[], joins: readonly string[], fields: FieldBlock): FieldBlock
}

/** The route to a function that can be called any number of times, without outer layers. */
export function plainRoute(request: Request, next: (request: Request) => Response | Promise<Response>): Route {
  const run = (terms?: RunTerms): Response | Promise<Response> =>
    next(terms === undefined ? request : wholeRequest(request, terms))
  return { run, standIn: run, whenFree: callAtOnce, baseline: [], besideOuter: (_removed, _joins, fields) => fields }
}

/** `whenFree` for routes where each run has its own `Response`. */
export function callAtOnce(callback: () => void): void {
  callback()
}
