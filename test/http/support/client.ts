import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'

/** An answer, whole. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  rawHeaders: string[]
  /** As it came over the wire. */
  bytes: Buffer
  /** Decoded by its Content-Encoding. */
  body: string
  /** Whether the answer came to its proper end. */
  complete: boolean
  trailers: NodeJS.Dict<string>
}

export interface Ask {
  method?: string
  headers?: Record<string, string | string[]>
  body?: string
  agent?: Agent
}

/** One request on a connection of its own, unless an agent is given. Rejects if no header comes. */
export async function ask(url: string, options: Ask = {}): Promise<Answer> {
  return readAll(await open(url, options).response)
}

/** A request whose answer can be watched as it comes, or left. */
export interface Opened {
  response: Promise<IncomingMessage>
  leave(): void
}

export function open(url: string, { method = 'GET', headers = {}, body, agent }: Ask = {}): Opened {
  const outgoing = request(url, { method, headers, agent: agent ?? false })
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.on('error', reject)
  })
  response.catch(() => {})
  outgoing.end(body)
  return { response, leave: () => outgoing.destroy() }
}

/** Who has left before has done so when answers that need no handler have come on connections opened later. */
export async function letLeave(url: string): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await ask(url, { headers: { 'Cache-Control': 'only-if-cached' } })
}

export async function readAll(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer)
  } catch {
    // Cut off: `complete` tells.
  }
  const bytes = Buffer.concat(chunks)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    bytes,
    body: response.complete ? decoded(bytes, response.headers['content-encoding']) : bytes.toString(),
    complete: response.complete,
    trailers: response.trailers,
  }
}

function decoded(bytes: Buffer, encoding: string | undefined): string {
  if (bytes.length === 0) return ''
  switch (encoding) {
    case 'gzip':
      return gunzipSync(bytes).toString()
    case 'deflate':
      return inflateSync(bytes).toString()
    case 'br':
      return brotliDecompressSync(bytes).toString()
    default:
      return bytes.toString()
  }
}
