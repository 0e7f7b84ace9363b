import type { IncomingMessage } from 'node:http'

const LONGEST_BODY = 64 * 1024

/** A request's JSON object, whoever has parsed it; `undefined` where there is none, or it is too long. */
export async function jsonBody(
  request: IncomingMessage & { body?: unknown },
): Promise<Record<string, unknown> | undefined> {
  // A body parser of the app may have come before us, and have read all there was.
  const body = request.readableEnded || isObject(request.body) ? request.body : parse(await textOf(request))
  return isObject(body) ? body : undefined
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LONGEST_BODY) return ''
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
