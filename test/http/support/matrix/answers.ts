import { type Answer, type Ask, open, readAll } from '../client.ts'

/** What one client has seen. */
export interface Seen {
  status: number | 'none'
  complete: boolean
  body: string
  /** Sorted by their names; values with what is of one request alone taken out. */
  fields: string[]
  /** How the end of the body is told. */
  framing: string
  /** What Cache-Status says. Only our middleware sends it. */
  cacheStatus: string
}

export interface Asked {
  seen: Promise<Answer | undefined>
  leave(): void
}

/** Sends a request. What comes is `undefined` if no header comes. */
export function send(url: string, options: Ask): Asked {
  const { response, leave } = open(url, options)
  return { seen: response.then(readAll, () => undefined), leave }
}

/** Reads the answers of one scene, in its order. */
export class Reader {
  readonly #mask: (name: string, value: string) => string
  readonly #cookies: string[] = []

  constructor(mask: (name: string, value: string) => string) {
    this.#mask = mask
  }

  read(answer: Answer | undefined): Seen {
    if (answer === undefined) {
      return { status: 'none', complete: false, body: '', fields: [], framing: '', cacheStatus: '' }
    }
    const { status, complete, body, bytes, headers, rawHeaders } = answer
    return {
      status,
      complete,
      body,
      fields: this.#fields(rawHeaders),
      framing: framingOf(headers, bytes.length),
      cacheStatus: String(headers['cache-status'] ?? ''),
    }
  }

  #fields(rawHeaders: string[]): string[] {
    const lines: string[] = []
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = (rawHeaders[at] ?? '').toLowerCase()
      if (!LEFT_OUT.has(name)) lines.push(`${name}: ${this.#value(name, rawHeaders[at + 1] ?? '')}`)
    }
    // The order of fields with different names means nothing.
    return lines
      .map((line, at) => ({ line, at }))
      .toSorted(byName)
      .map(({ line }) => line)
  }

  #value(name: string, value: string): string {
    // Each request has its own, so only its presence is compared.
    if (name === 'date') return '<date>'
    if (name === 'set-cookie') return this.#cookie(value)
    return this.#mask(name, value)
  }

  /** The value stands for the first answer that had it: who gets the same one as whom is compared, too. */
  #cookie(value: string): string {
    const [pair = '', ...attributes] = value.split(';')
    const name = pair.slice(0, pair.indexOf('='))
    const known = this.#cookies.indexOf(pair)
    const number = known === -1 ? this.#cookies.push(pair) - 1 : known
    return [`${name}=<${number}>`, ...attributes].join(';')
  }
}

const LEFT_OUT = new Set([
  // RFC 9211: only a cache sends it.
  'cache-status',
  // RFC 9111 section 5.1: only a stored answer has it.
  'age',
  // Compared as `framing`.
  'content-length',
  'transfer-encoding',
])

function byName(a: { line: string; at: number }, b: { line: string; at: number }): number {
  const [first, second] = [nameOf(a.line), nameOf(b.line)]
  if (first === second) return a.at - b.at
  return first < second ? -1 : 1
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':'))
}

function framingOf(headers: Answer['headers'], received: number): string {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  if (length === undefined) return coding ?? 'until the connection closes'
  return coding === undefined && Number(length) === received ? 'length' : `length ${length} of ${received}, ${coding}`
}
