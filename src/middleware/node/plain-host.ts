import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'

import { TELLING } from '../request/telling-fields.ts'

type Kind = 'host' | 'telling' | 'plain'

/** Clients use few spellings, always the same. A known spelling needs no new string in lower case. */
const kinds = new Map<string, Kind>()
const MOST_SPELLINGS = 1000

/**
 * The Host of a request, if otherwise only its URL matters, as in most requests. Undefined if other fields matter too.
 * Reads the raw fields until somebody has read `headers`: Node makes those only then, and afterwards outer layers may have
 * changed them.
 */
export function plainHost(req: IncomingMessage): string | undefined {
  return areMade(req) ? hostAmong(req.headers) : hostAmongRaw(req.rawHeaders)
}

/** Where Node keeps `headers` once somebody has read them. */
const MADE = Object.getOwnPropertySymbols(new IncomingMessage(null as never)).find(
  ({ description }) => description === 'kHeaders',
)

function areMade(req: IncomingMessage): boolean {
  return (
    MADE === undefined || (req as unknown as Record<symbol, unknown>)[MADE] !== null || Object.hasOwn(req, 'headers')
  )
}

function hostAmong(headers: IncomingHttpHeaders): string | undefined {
  for (const name in headers) {
    if (kindOf(name) === 'telling' && headers[name] !== undefined) return undefined
  }
  return headers.host ?? ''
}

function hostAmongRaw(rawHeaders: readonly string[]): string | undefined {
  let host: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const kind = kindOf(rawHeaders[index] as string)
    if (kind === 'plain') continue
    if (kind === 'telling' || host !== undefined) return undefined
    host = rawHeaders[index + 1]
  }
  return host ?? ''
}

function kindOf(spelling: string): Kind {
  const known = kinds.get(spelling)
  if (known !== undefined) return known
  const name = spelling.toLowerCase()
  const kind = name === 'host' ? 'host' : TELLING.has(name) ? 'telling' : 'plain'
  if (kinds.size < MOST_SPELLINGS) kinds.set(spelling, kind)
  return kind
}
