import type { IncomingMessage } from 'node:http'

import type { SourceTerms } from '../fill/source.ts'
import { validatingFields } from '../request/narrowing.ts'

/**
 * Removes from a request the fields that its handler must not see. Adds the validators of a stored response that must be
 * validated, and adds `capability` to what the caches before us say of themselves. The returned function undoes all this.
 */
export function asWholeRequest(
  req: IncomingMessage,
  { validate, capability, hidden }: Pick<SourceTerms, 'validate' | 'capability' | 'hidden'>,
): () => void {
  const { headers, rawHeaders } = req
  const plain: Record<string, string | string[] | undefined> = headers
  const replaced = [...hidden, 'surrogate-capability']
  const before = replaced.map((name) => [name, plain[name]] as const)
  const capabilities = [textOf(plain['surrogate-capability']), capability].filter((each) => each !== undefined)
  const added = validatingFields(validate)
  if (capabilities.length > 0) added.push(['Surrogate-Capability', capabilities.join(', ')])
  const raw: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index])
    if (!replaced.includes(name.toLowerCase())) raw.push(name, String(rawHeaders[index + 1]))
  }
  for (const name of replaced) delete plain[name]
  for (const [spelled, value] of added) {
    plain[spelled.toLowerCase()] = value
    raw.push(spelled, value)
  }
  // Defined, not assigned: on HTTP/2 it is an accessor that cannot be set.
  setRawHeaders(req, raw)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete plain[name]
      else plain[name] = value
    }
    setRawHeaders(req, rawHeaders)
  }
}

function setRawHeaders(req: IncomingMessage, value: string[]): void {
  Object.defineProperty(req, 'rawHeaders', { configurable: true, writable: true, value })
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
