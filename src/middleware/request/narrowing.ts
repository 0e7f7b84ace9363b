import type { IncomingHttpHeaders } from 'node:http'

/** Request fields that ask for less than the whole response. A fill must never see those of the client. */
export const NARROWING = [
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
  'range',
] as const

export function isNarrowed(headers: IncomingHttpHeaders): boolean {
  return NARROWING.some((name) => headers[name] !== undefined)
}
