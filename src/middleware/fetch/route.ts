import type { Baseline, FieldBlock } from '../rules/fields.ts'

/** How a request goes on to its handler, and what layers outside have done for its answer. */
export interface Route {
  /** Runs the handler, for the request's own client. */
  run(request: Request): Response | Promise<Response>
  /** Runs it once more, for nobody; undefined where that is not possible. */
  readonly standIn: ((request: Request) => Response | Promise<Response>) | undefined
  /** What layers outside had put on the response before us. */
  readonly baseline: Baseline
  /** The fields of an answer from the store beside theirs: without those that the handler took away. */
  besideOuter(removed: readonly string[], joins: readonly string[], fields: FieldBlock): FieldBlock
}

/** That of a function that can be called as often as one likes, with nothing outside. */
export function plainRoute(next: (request: Request) => Response | Promise<Response>): Route {
  return { run: next, standIn: next, baseline: [], besideOuter: (_removed, _joins, fields) => fields }
}
