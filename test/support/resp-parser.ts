/** What Redis answers, in either protocol version: maps and sets of RESP3 come as flat arrays, text as strings. */
export type Reply = string | number | boolean | null | RespError | Reply[]

/** An error reply. */
export class RespError extends Error {
  override readonly name = 'RespError'
}

export interface Parsed {
  value: Reply
  /** Index of the first byte after the reply. */
  end: number
  /** A RESP3 push, which answers no command. */
  push: boolean
}

/** The reply that starts at `start`, or `undefined` while its last byte has not arrived. */
export function parseReply(input: Buffer, start = 0): Parsed | undefined {
  const lineEnd = input.indexOf('\r\n', start)
  if (lineEnd === -1) return undefined
  const type = String.fromCharCode(input[start] as number)
  const line = input.toString('utf8', start + 1, lineEnd)
  const after = lineEnd + 2
  const whole = (value: Reply): Parsed => ({ value, end: after, push: false })
  switch (type) {
    case '+':
    case '(':
      return whole(line)
    case '-':
      return whole(new RespError(line))
    case ':':
    case ',':
      return whole(Number(line))
    case '#':
      return whole(line === 't')
    case '_':
      return whole(null)
    case '$':
    case '=':
    case '!':
      return parseBulk(input, type, Number(line), after)
    case '*':
    case '~':
      return parseItems(input, Number(line), after)
    case '>': {
      const items = parseItems(input, Number(line), after)
      return items && { ...items, push: true }
    }
    case '%':
      return parseItems(input, 2 * Number(line), after)
    default:
      throw new Error(`not RESP: ${JSON.stringify(input.toString('latin1', start, start + 40))}`)
  }
}

function parseBulk(input: Buffer, type: string, length: number, after: number): Parsed | undefined {
  if (length === -1) return { value: null, end: after, push: false }
  const end = after + length + 2
  if (input.length < end) return undefined
  const text = input.toString('utf8', after, end - 2)
  return { value: type === '!' ? new RespError(text) : type === '=' ? text.slice(4) : text, end, push: false }
}

function parseItems(input: Buffer, count: number, after: number): Parsed | undefined {
  if (count === -1) return { value: null, end: after, push: false }
  const items: Reply[] = []
  let end = after
  for (let index = 0; index < count; index++) {
    const item = parseReply(input, end)
    if (!item) return undefined
    items.push(item.value)
    end = item.end
  }
  return { value: items, end, push: false }
}
