import { type ServerResponse, STATUS_CODES } from 'node:http'

import type { ResponseHead } from '../fill/source.ts'
import type { FieldBlock } from '../rules/fields.ts'

/** Puts the arguments of `writeHead` where they can be read: on the response. */
export function applyHead(res: ServerResponse, args: unknown[]): void {
  res.statusCode = Number(args[0])
  if (typeof args[1] === 'string') res.statusMessage = args[1]
  const fields = typeof args[1] === 'string' ? args[2] : (args[2] ?? args[1])
  if (fields === undefined || fields === null) return
  const given: FieldBlock = []
  if (!Array.isArray(fields)) {
    for (const [name, value] of Object.entries(fields)) given.push(name, value as string | string[])
  } else if (Array.isArray(fields[0])) {
    for (const [name, value] of fields as Array<[string, string | string[]]>) given.push(name, value)
  } else {
    given.push(...(fields as string[]))
  }
  const seen = new Set<string>()
  for (let index = 0; index + 1 < given.length; index += 2) {
    const name = String(given[index])
    const value = given[index + 1] as string | string[]
    if (name === '') continue
    if (seen.has(name.toLowerCase())) res.appendHeader(name, value)
    else res.setHeader(name, value)
    seen.add(name.toLowerCase())
  }
}

/** The header as it stands on a response now. */
export function readHead(res: ServerResponse): ResponseHead {
  const spelled = (res as { getRawHeaderNames?: () => string[] }).getRawHeaderNames
  const fields: string[] = []
  for (const name of spelled ? spelled.call(res) : res.getHeaderNames()) {
    const value = res.getHeader(name)
    if (Array.isArray(value)) for (const line of value) fields.push(name, String(line))
    else fields.push(name, String(value))
  }
  return { status: res.statusCode, message: reasonOf(res), fields }
}

function reasonOf(res: ServerResponse): string {
  // HTTP/2 has none, and Node warns whenever it is read.
  const own = res.req.httpVersionMajor < 2 ? res.statusMessage : ''
  return own || STATUS_CODES[res.statusCode] || 'unknown'
}

/** The length that Node will state for a body that is given to `end` as a whole. */
export function lengthField(res: ServerResponse, length: number): string[] {
  if (!hasBody(res)) return []
  if (res.hasHeader('content-length') || res.hasHeader('transfer-encoding') || res.hasHeader('trailer')) return []
  return ['Content-Length', String(length)]
}

export function hasBody(res: ServerResponse): boolean {
  return res.req.method !== 'HEAD' && res.statusCode !== 204 && res.statusCode !== 304
}
