import type { SourceTerms } from '../fill/source.ts'
import { markHandled, outerFlightOf } from '../request/bypass.ts'
import { validatingFields } from '../request/narrowing.ts'

/** How a run's request differs from the client's: it asks for the whole. `signal` aborts it once nobody needs it. */
export interface RunTerms extends Pick<SourceTerms, 'validate' | 'capability' | 'hidden'> {
  readonly signal: AbortSignal
}

/**
 * The request that a run's handler gets. It lacks the fields that ask for less than the whole. It has the validators of a
 * stored response that must be validated. `capability` is added to what the caches before us say of themselves. Only
 * `signal` aborts it.
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
 * Servers add members to their requests that the standard does not have: route parameters, cookies. The new request shows
 * them. A value that is set on the new request stays there.
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
