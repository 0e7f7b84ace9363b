import type { SourceTerms } from '../fill/source.ts'
import { markHandled, outerFlightOf } from '../request/bypass.ts'
import { validatingFields } from '../request/narrowing.ts'

/** What a run sees of a request: nothing that asks for less than the whole. Aborted by `signal` once nobody needs it. */
export interface RunTerms extends Pick<SourceTerms, 'validate' | 'capability' | 'hidden'> {
  readonly signal: AbortSignal
}

/**
 * The request that a run's handler gets: without the fields that ask for less than the whole; with the validators of a
 * stored response that is to be validated; `capability` added to what the caches before us say of themselves. It is
 * aborted by `signal` alone.
 */
export function wholeRequest(request: Request, { validate, capability, hidden, signal }: RunTerms): Request {
  const headers = new Headers(request.headers)
  for (const name of hidden) headers.delete(name)
  for (const [name, value] of validatingFields(validate)) headers.set(name, value)
  if (capability !== undefined) headers.append('Surrogate-Capability', capability)
  const whole = new Request(request.url, { method: request.method, headers, signal })
  const outer = outerFlightOf(request)
  if (outer !== undefined) markHandled(whole, outer)
  return withOwnMembers(request, whole)
}

/**
 * Servers hang more on their requests than the standard knows: parameters of a route, cookies. What is set on the one that
 * is made stays there.
 */
function withOwnMembers(request: Request, made: Request): Request {
  for (const name in request) {
    if (name in made) continue
    const shared = { configurable: true, enumerable: true }
    Object.defineProperty(made, name, {
      ...shared,
      get: () => (request as never)[name] as unknown,
      set(value: unknown) {
        Object.defineProperty(made, name, { ...shared, writable: true, value })
      },
    })
  }
  return made
}
