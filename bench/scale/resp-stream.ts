const ASTERISK = 0x2a
const DOLLAR = 0x24
const PUSH = 0x3e
const MAP = 0x25
const UNDERSCORE = 0x5f
const MINUS = 0x2d
const ZERO = 0x30
const CR = 0x0d

/** Cuts what Redis sends into replies and messages, each a list of its parts; only as much of RESP as the bench meets. */
export class RespStream {
  readonly #onItem: (parts: readonly Buffer[]) => void
  #rest: Buffer | undefined

  constructor(onItem: (parts: readonly Buffer[]) => void) {
    this.#onItem = onItem
  }

  feed(chunk: Buffer): void {
    let input = chunk
    if (this.#rest !== undefined) input = Buffer.concat([this.#rest, chunk])
    let at = 0
    for (;;) {
      const parts: Buffer[] = []
      const end = take(input, at, parts)
      if (end === -1) break
      this.#onItem(parts)
      at = end
    }
    this.#rest = at === input.length ? undefined : input.subarray(at)
  }
}

/** Adds the parts of the item at `at`, nested ones in one row; its end, or -1 while it is not whole. */
function take(input: Buffer, at: number, parts: Buffer[]): number {
  let lineEnd = at + 1
  while (input[lineEnd] !== CR) if (lineEnd++ >= input.length) return -1
  if (lineEnd + 2 > input.length) return -1
  const after = lineEnd + 2
  const type = input[at]
  if (type === DOLLAR) {
    const length = toNumber(input, at + 1, lineEnd)
    const end = after + length + 2
    if (length < 0) return after
    if (end > input.length) return -1
    parts.push(input.subarray(after, end - 2))
    return end
  }
  if (type === UNDERSCORE) return after
  if (type !== ASTERISK && type !== PUSH && type !== MAP) {
    parts.push(input.subarray(at + 1, lineEnd))
    return after
  }
  let end = after
  const items = toNumber(input, at + 1, lineEnd) * (type === MAP ? 2 : 1)
  for (let left = items; left > 0; left--) {
    end = take(input, end, parts)
    if (end === -1) return -1
  }
  return end
}

function toNumber(input: Buffer, from: number, to: number): number {
  if (input[from] === MINUS) return -1
  let number = 0
  for (let i = from; i < to; i++) number = number * 10 + ((input[i] as number) - ZERO)
  return number
}

export function encode(...words: readonly (string | number | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)]
  for (const word of words) {
    const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}
