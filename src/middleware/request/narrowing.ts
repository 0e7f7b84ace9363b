import type { RequestFields } from '../rules/fields.ts'

/** Request fields that ask for less than the whole response. A fill must never see those of the client. */
export const NARROWING = ['if-none-match', 'if-modified-since', 'if-range', 'range'] as const

export function isNarrowed(headers: RequestFields): boolean {
  return NARROWING.some((name) => headers[name] !== undefined)
}
