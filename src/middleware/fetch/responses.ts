import type { Reply } from '../answer/reply.ts'
import type { ResponseHead } from '../fill/source.ts'
import type { FieldBlock } from '../rules/fields.ts'

/** Statuses with which a `Response` takes no body, not even an empty one. */
const BODILESS: ReadonlySet<number> = new Set([101, 103, 204, 205, 304])

/** Whether an answer to GET can have a body. */
export function mayHaveBody(status: number): boolean {
  return !BODILESS.has(status)
}

/** Whether a copy of a response can be made: not of `Response.error()`, nor of the start of another protocol. */
function isFinal({ status }: Response): boolean {
  return status >= 200 && status <= 599
}

/** @throws TypeError for a value that is no response, or for a response whose body is being read or was read */
export function checkResponse(response: unknown): asserts response is Response {
  const made = response as Partial<Response> | null | undefined
  if (typeof made?.status !== 'number' || typeof made.headers?.forEach !== 'function') {
    throw new TypeError(`the handler must answer with a Response, received ${kindOf(response)}`)
  }
  if (made.bodyUsed === true || made.body?.locked === true) {
    throw new TypeError('the handler must answer with a Response that nobody reads, received one whose body is in use')
  }
}

function kindOf(value: unknown): string {
  return value === null || value === undefined ? String(value) : `a value of type ${typeof value}`
}

/** The header of a response. `Headers` keep each Set-Cookie in its own line. */
export function headOf({ status, statusText, headers }: Response): ResponseHead {
  const fields: string[] = []
  headers.forEach((value, name) => fields.push(name, value))
  return { status, message: statusText, fields }
}

/** The same response with other header fields, and perhaps another body. */
export function relabelled(
  response: Response,
  fields: Iterable<readonly [name: string, value: string]>,
  body: ReadableStream | null = response.body,
): Response {
  if (!isFinal(response)) return response
  const headers = new Headers(response.headers)
  for (const [name, value] of fields) headers.set(name, value)
  const { status, statusText } = response
  return new Response(body, { status, statusText, headers })
}

export function responseOf({ status, message, fields, body }: Reply): Response {
  return new Response(body === undefined || !mayHaveBody(status) ? null : body, {
    ...{ status, statusText: message },
    headers: headersInit(fields),
  })
}

/** A plain object if each field has one line: servers read that fastest. */
export function headersInit(fields: FieldBlock): Record<string, string> | Headers {
  const plain: Record<string, string> = {}
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const value = fields[index + 1]
    if (typeof value !== 'string') return asHeaders(fields)
    plain[String(fields[index])] = value
  }
  return plain
}

function asHeaders(fields: FieldBlock): Headers {
  const headers = new Headers()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = String(fields[index])
    for (const line of [fields[index + 1] ?? []].flat()) headers.append(name, line)
  }
  return headers
}
