import type { Codec } from '../../store/codec.ts'
import type { ReadEntry } from '../../store/entry.ts'

/** A value that more than one caller may see. What one of them does to it, no other sees. */
export interface Isolated<V> {
  /** For everyone, where there is no `copy`; else for nobody. */
  readonly value: V
  /** Makes each reader's own; absent where all may share the value: it is frozen, or cannot be changed. */
  readonly copy: (() => V) | undefined
  /** Size of the encoded value. Throws as the codec does. */
  size(): number
}

/** A loaded value, which can still be encoded. */
export interface IsolatedLoad<V> extends Isolated<V> {
  /** Encodes it, at the first call. Throws as the codec does. */
  encode(): Uint8Array
}

/**
 * Isolates what a loader returned or `set` was given. That object is the application's own and stays as it is: of plain
 * objects and arrays, all the way down, a frozen copy is kept, which all readers share; of anything else each reader
 * gets what the codec makes of the encoded value. Throws what the codec throws for what can be neither copied nor encoded.
 */
export function isolateLoaded<V>(value: V, codec: Codec<V>): IsolatedLoad<V> {
  const shared = codec.immutable === true ? value : frozenCopy(value)
  if (shared !== NOT_PLAIN) return unshared(shared, codec)
  const original = codec.encode(value)
  return { value, copy: copier(original, codec), encode: () => original, size: () => original.byteLength }
}

/** A loaded value that only one caller gets, or that nobody can change, as it is. */
export function unshared<V>(value: V, codec: Codec<V>): IsolatedLoad<V> {
  let encoded: Uint8Array | undefined
  const encode = (): Uint8Array => (encoded ??= codec.encode(value))
  return { value, copy: undefined, encode, size: () => encode().byteLength }
}

/** Isolates what was decoded from Redis: it is ours, and so it is frozen in place or decoded anew for each reader. */
export function isolateRead<V>(entry: ReadEntry<V>, codec: Codec<V>): Isolated<V> {
  const { value, bytes } = entry
  const isShareable = codec.immutable === true || freezePlain(value, 0)
  return { value, copy: isShareable ? undefined : () => entry.again(), size: () => bytes }
}

/** What one caller gets. */
export function readOf<V>({ value, copy }: Pick<Isolated<V>, 'value' | 'copy'>): V {
  return copy === undefined ? value : copy()
}

/** A decoder may hand out views on what it was given: each reader gets bytes of its own. */
function copier<V>(original: Uint8Array, codec: Codec<V>): () => V {
  return () => codec.decode(new Uint8Array(original))
}

const NOT_PLAIN: unique symbol = Symbol('not plain')
/** Deeper ones may be cycles, and would exhaust the stack. */
const DEEPEST = 200

/** A frozen copy of plain objects, arrays and primitive values all the way down; NOT_PLAIN where there is anything else. */
function frozenCopy<V>(value: V): V | typeof NOT_PLAIN {
  try {
    return copyPlain(value, 0) as V | typeof NOT_PLAIN
  } catch {
    return NOT_PLAIN // a getter or a proxy that throws: the codec will say what is wrong with it
  }
}

function copyPlain(value: unknown, depth: number): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return NOT_PLAIN
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEEPEST) return NOT_PLAIN
  return Array.isArray(value) ? copyArray(value, depth + 1) : copyObject(value, depth + 1)
}

function copyArray(array: readonly unknown[], depth: number): unknown {
  // Further fields and holes, which have no key of their own, are for the codec to judge.
  if (Object.getPrototypeOf(array) !== Array.prototype || Object.keys(array).length !== array.length) return NOT_PLAIN
  const copy = array.slice()
  for (let i = 0; i < copy.length; i++) {
    const item = copyPlain(copy[i], depth)
    if (item === NOT_PLAIN) return NOT_PLAIN
    copy[i] = item
  }
  return Object.freeze(copy)
}

function copyObject(object: object, depth: number): unknown {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) return NOT_PLAIN
  if (Object.getOwnPropertySymbols(object).length > 0) return NOT_PLAIN
  const copy: Record<string, unknown> = prototype === null ? (Object.create(null) as Record<string, unknown>) : {}
  for (const name of Object.keys(object)) {
    const field = copyPlain((object as Record<string, unknown>)[name], depth)
    if (field === NOT_PLAIN) return NOT_PLAIN
    if (name === '__proto__') define(copy, name, field)
    else copy[name] = field
  }
  return Object.freeze(copy)
}

/** An assignment to `__proto__` would set the prototype. */
function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true })
}

/** Freezes what a decoder made. Answers whether it is plain all the way down; if not, some of it may be frozen. */
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
