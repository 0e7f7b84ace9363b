import { parse, stringify } from 'devalue'
import { messageOf, SerializationError } from '../errors.ts'

/** How values become bytes for Redis and back. `decode(encode(value))` must equal `value`. */
export interface Codec<V = unknown> {
  /** Throws if the value cannot be encoded without loss. The value is then handed out but not stored. */
  encode(value: V): Uint8Array
  /** Throws if `encode` cannot have made the bytes. The entry then counts as a miss. */
  decode(bytes: Uint8Array): V
  /**
   * Says that nobody changes these values, so all readers may share one as it is. Default `false`: plain values are frozen,
   * and of other values each reader gets a copy.
   */
  readonly immutable?: boolean
}

/** An encoded value: bytes, or a text that stands for its UTF-8. Text costs a client a fraction of what bytes cost. */
export type Encoded = Uint8Array | string

export function byteLengthOf(encoded: Encoded): number {
  return typeof encoded === 'string' ? Buffer.byteLength(encoded) : encoded.byteLength
}

const JSON_TEXT = 0x4a // J
/** JSON with fields called `__proto__` that the value really had. In other JSON such a field is an attack. */
const PROTO_TEXT = 0x50 // P
const RICH_TEXT = 0x52 // R
const RAW_BUFFER = 0x42 // B
const RAW_UINT8_ARRAY = 0x55 // U

/** devalue knows typed arrays, but not that a Buffer is a special one. It tries these on every object. */
const reducers = {
  Buffer: (value: unknown) => Buffer.isBuffer(value) && value.toString('base64'),
  Refused: (value: unknown) => typeof value === 'object' && value !== null && refuseLossy(value),
}
const revivers = { Buffer: (text: string) => Buffer.from(text, 'base64') }

/**
 * The default codec. The first byte tells how the rest is written: as JSON if JSON can represent the value exactly, which
 * is readable in redis-cli; bytes as they are; and everything else (Date, Map, Set, BigInt, typed arrays inside, NaN, -0,
 * undefined fields, cycles) in devalue's extension of JSON. Other values throw `SerializationError`.
 */
export const defaultCodec: Codec = {
  encode(value) {
    try {
      if (Buffer.isBuffer(value)) return tagged(RAW_BUFFER, value)
      if (isUint8Array(value)) return tagged(RAW_UINT8_ARRAY, value)
      const kind = kindOf(value)
      if (kind !== undefined) return taggedText(kind, JSON.stringify(value))
      return taggedText(RICH_TEXT, stringify(value, reducers))
    } catch (cause) {
      throw new SerializationError(`the value cannot be encoded: ${messageOf(cause)}`, { cause })
    }
  },
  decode(bytes) {
    if (bytes.byteLength === 0) throw new SerializationError('there are no bytes')
    const body = Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1)
    switch (bytes[0]) {
      case JSON_TEXT:
        return parseJson(body.toString())
      case PROTO_TEXT:
        return JSON.parse(body.toString())
      case RICH_TEXT:
        return parse(body.toString(), revivers)
      case RAW_BUFFER:
        return body
      case RAW_UINT8_ARRAY:
        return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
      default:
        throw new SerializationError(`unknown encoding ${String(bytes[0])}`)
    }
  },
}

/** Encodes like `defaultCodec`, but as text, a value that JSON is known to represent exactly. */
export function encodeJson(value: unknown, hasProto: boolean): string {
  return (hasProto ? 'P' : 'J') + JSON.stringify(value)
}

/** Whether bytes of `defaultCodec` with that tag are text throughout, so that they may be read as a string. */
export function isText(tag: string): boolean {
  return tag === 'J' || tag === 'P' || tag === 'R'
}

/** Decodes what `defaultCodec` encoded as text, from a string that has the tag at `offset`. */
export function decodeText(text: string, offset: number): unknown {
  const body = text.slice(offset + 1)
  const tag = text[offset]
  if (tag === 'P') return JSON.parse(body)
  return tag === 'J' ? parseJson(body) : parse(body, revivers)
}

const MAX_PLAIN_DEPTH = 200

/** The kind of JSON that represents the value exactly, if one does. */
function kindOf(value: unknown): number | undefined {
  const seen = { proto: false }
  if (!isPlain(value, 0, seen)) return undefined
  return seen.proto ? PROTO_TEXT : JSON_TEXT
}

/**
 * Whether JSON reproduces the value exactly. Notes in `seen` whether a field is called `__proto__`. A value that is too deep
 * for the stack, or has a cycle, counts as not plain.
 */
function isPlain(value: unknown, depth: number, seen: { proto: boolean }): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth > MAX_PLAIN_DEPTH) return false
  if (Array.isArray(value)) {
    if (Object.getPrototypeOf(value) !== Array.prototype || Object.keys(value).length !== value.length) return false
    // A loop by index, because `every` would skip holes.
    for (let i = 0; i < value.length; i++) if (!isPlain(value[i], depth + 1, seen)) return false
    return true
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype) return false
  if (Object.getOwnPropertySymbols(value).length > 0 || 'toJSON' in value) return false
  if (Object.hasOwn(value, '__proto__')) seen.proto = true
  for (const name in value) if (!isPlain((value as Record<string, unknown>)[name], depth + 1, seen)) return false
  return true
}

// oxlint-disable-next-line no-restricted-globals -- the class, not the time
const SUBCLASSABLE = [Map, Set, Date, RegExp]

/** devalue treats an instance of a subclass as one of the base class, and ignores further fields of an array. */
function refuseLossy(value: object): false {
  if (Array.isArray(value)) {
    if (Object.getPrototypeOf(value) !== Array.prototype) throw new TypeError('a subclass of Array')
    const last = Object.keys(value).at(-1) // indices come first
    if (last !== undefined && !/^\d+$/.test(last)) throw new TypeError('an array with further fields')
  }
  for (const base of SUBCLASSABLE) {
    if (value instanceof base && Object.getPrototypeOf(value) !== base.prototype) {
      throw new TypeError(`a subclass of ${base.name}`)
    }
  }
  return false
}

/** `encode` marks JSON with fields called `__proto__`. In other bytes, such a field could harm code that copies them. */
function parseJson(text: string): unknown {
  // It may stand there as it is or with escapes. `encode` makes such escapes only for control characters.
  if (!text.includes('__proto__') && !text.includes('\\u00')) return JSON.parse(text)
  return JSON.parse(text, (name, value: unknown) => {
    if (name === '__proto__') throw new SerializationError('a field called __proto__')
    return value
  })
}

function isUint8Array(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && Object.getPrototypeOf(value) === Uint8Array.prototype
}

function taggedText(tag: number, text: string): Buffer {
  const result = Buffer.allocUnsafe(Buffer.byteLength(text) + 1)
  result[0] = tag
  result.write(text, 1)
  return result
}

function tagged(tag: number, bytes: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(bytes.length + 1)
  result[0] = tag
  result.set(bytes, 1)
  return result
}
