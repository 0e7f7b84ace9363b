import { byteLengthOf, defaultCodec, encodeJson, type Codec, type Encoded } from '../../store/codec.ts'
import type { ReadEntry } from '../../store/entry.ts'

/** A value for more than one caller. No caller sees what another does to it. */
export interface Isolated<V> {
  /** Shared by all if there is no `copy`; otherwise given to nobody. */
  readonly value: V
  /** Makes a copy for each reader. Absent if all may share the value, because it is frozen or cannot be changed. */
  readonly copy: (() => V) | undefined
  /** Size of the encoded value. Throws as the codec does. */
  size(): number
}

/** A loaded value, which can still be encoded. */
export interface IsolatedLoad<V> extends Isolated<V> {
  /** Encodes it at the first call. Throws as the codec does. */
  encode(): Encoded
}

/**
 * Isolates a value from a loader or for `set`. That object belongs to the application and stays as it is. Of plain
 * objects and arrays, at every level, a frozen copy is kept, which all readers share. For anything else, each reader gets
 * a copy decoded from the encoded value. If the value can be neither copied nor encoded, this throws what the codec
 * throws.
 */
export function isolateLoaded<V>(value: V, codec: Codec<V>): IsolatedLoad<V> {
  if (codec.immutable === true) return unshared(value, codec)
  const plain = frozenCopy(value)
  if (plain !== undefined) {
    const isKnown = plain.isJson && codec === (defaultCodec as Codec<V>)
    return new Shared<V>(plain.copy, isKnown ? (plain.hasProto ? PROTO_JSON : JSON_ONLY) : codec)
  }
  const original = codec.encode(value)
  return { value, copy: copier(original, codec), encode: () => original, size: () => original.byteLength }
}

/** A loaded value, unchanged, that only one caller gets or that nobody can change. */
export function unshared<V>(value: V, codec: Codec<V>): IsolatedLoad<V> {
  return new Shared(value, codec)
}

interface Encoder {
  encode(value: unknown): Encoded
}

/** The default codec for what JSON is known to represent exactly. */
const JSON_ONLY: Encoder = { encode: (value) => encodeJson(value, false) }
const PROTO_JSON: Encoder = { encode: (value) => encodeJson(value, true) }

/** A loaded value that all share. */
class Shared<V> implements IsolatedLoad<V> {
  readonly value: V
  readonly copy = undefined
  readonly #encoder: Encoder
  #encoded: Encoded | undefined

  constructor(value: V, encoder: { encode(value: V): Encoded }) {
    this.value = value
    this.#encoder = encoder as Encoder
  }

  encode(): Encoded {
    return (this.#encoded ??= this.#encoder.encode(this.value))
  }

  size(): number {
    return byteLengthOf(this.encode())
  }
}

/**
 * Isolates a value decoded from Redis. It belongs to nobody else, so it is frozen in place, or decoded again for each
 * reader.
 */
export function isolateRead<V>(entry: Pick<ReadEntry<V>, 'value' | 'bytes' | 'again'>, codec: Codec<V>): Isolated<V> {
  const { value, bytes } = entry
  const isShareable = codec.immutable === true || freezePlain(value, 0)
  return { value, copy: isShareable ? undefined : () => entry.again(), size: () => bytes }
}

/** What one caller gets. */
export function readOf<V>({ value, copy }: Pick<Isolated<V>, 'value' | 'copy'>): V {
  return copy === undefined ? value : copy()
}

/** A decoder may return views of its input, so each reader gets its own bytes. */
function copier<V>(original: Uint8Array, codec: Codec<V>): () => V {
  return () => codec.decode(new Uint8Array(original))
}

const NOT_PLAIN: unique symbol = Symbol('not plain')
/** Deeper values may be cycles, and would exhaust the stack. */
const DEEPEST = 200

interface PlainCopy<V> {
  readonly copy: V
  /** Whether JSON expresses all of it. */
  isJson: boolean
  /** Whether a field is called `__proto__`. */
  hasProto: boolean
}

/** A frozen copy if there are only plain objects, arrays and primitive values at every level; otherwise nothing. */
function frozenCopy<V>(value: V): PlainCopy<V> | undefined {
  const found = { isJson: true, hasProto: false }
  try {
    const copy = copyPlain(value, 0, found) as V | typeof NOT_PLAIN
    return copy === NOT_PLAIN ? undefined : { copy, ...found }
  } catch {
    return undefined // a getter or a proxy that throws: the codec will say what is wrong with it
  }
}

type Found = Omit<PlainCopy<unknown>, 'copy'>

function copyPlain(value: unknown, depth: number, found: Found): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value) || Object.is(value, -0)) found.isJson = false
      return value
    case 'undefined':
    case 'bigint':
      found.isJson = false
      return value
    case 'object':
      if (value === null) return value
      if (depth > DEEPEST) return NOT_PLAIN
      return Array.isArray(value) ? copyArray(value, depth + 1, found) : copyObject(value, depth + 1, found)
    default:
      return NOT_PLAIN
  }
}

function copyArray(array: readonly unknown[], depth: number, found: Found): unknown {
  // The codec decides about further fields and about holes, which have no key.
  if (Object.getPrototypeOf(array) !== Array.prototype || Object.keys(array).length !== array.length) return NOT_PLAIN
  const copy = array.slice()
  for (let i = 0; i < copy.length; i++) {
    const item = copyPlain(copy[i], depth, found)
    if (item === NOT_PLAIN) return NOT_PLAIN
    copy[i] = item
  }
  return Object.freeze(copy)
}

function copyObject(object: object, depth: number, found: Found): unknown {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) return NOT_PLAIN
  if (Object.getOwnPropertySymbols(object).length > 0) return NOT_PLAIN
  if (prototype === null) found.isJson = false
  const copy = prototype === null ? (Object.create(null) as Record<string, unknown>) : emptyLike(object)
  for (const name in object) {
    const field = copyPlain((object as Record<string, unknown>)[name], depth, found)
    if (field === NOT_PLAIN) return NOT_PLAIN
    if (name !== '__proto__') copy[name] = field
    else {
      found.hasProto = true
      define(copy, name, field)
    }
  }
  return Object.freeze(copy)
}

type EmptyObject = new () => Record<string, unknown>

/**
 * Each constructor makes empty objects with room for as many fields as its place in this list; an engine learns that for
 * each constructor. `{}` has room for four fields and then grows by four more, which would leave a third of the memory of
 * small values unused.
 */
const EMPTY_OBJECTS = Array.from({ length: 9 }, (): EmptyObject => {
  function Empty(): void {}
  Empty.prototype = Object.prototype
  return Empty as unknown as EmptyObject
})

/** An empty plain object with room for the fields of `object`. */
function emptyLike(object: object): Record<string, unknown> {
  let fields = 0
  for (const _ in object) fields++
  const Empty = EMPTY_OBJECTS[fields]
  return Empty === undefined ? {} : new Empty()
}

/** An assignment to `__proto__` would set the prototype. */
function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true })
}

/** Freezes a decoded value. Returns whether it is plain at every level; if not, parts of it may be frozen. */
function freezePlain(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function'
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) return false
  if (depth > DEEPEST) return false
  const fields = Array.isArray(value) ? (value as unknown[]) : Object.values(value)
  for (let i = 0; i < fields.length; i++) if (!freezePlain(fields[i], depth + 1)) return false
  Object.freeze(value)
  return true
}
