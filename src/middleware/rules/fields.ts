import { isToken } from './grammar.ts'

/**
 * The header fields of a response as they go over the wire: names and values in turn, repeated fields repeated, names
 * as the handler spelled them.
 */
export type FlatFields = readonly string[]

/** The header fields of a request by lower-case name, as Node has them. */
export type RequestFields = Readonly<Record<string, string | readonly string[] | undefined>>

/** Names and values in turn for `writeHead`. Lines of a repeated field are one array, because Node keeps the last of two. */
export type FieldBlock = Array<string | string[]>

export function blockOf(fields: FlatFields): FieldBlock {
  const block: FieldBlock = []
  const positions = new Map<string, number>()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = String(fields[index])
    const value = String(fields[index + 1])
    const position = positions.get(name.toLowerCase())
    if (position === undefined) {
      positions.set(name.toLowerCase(), block.length + 1)
      block.push(name, value)
    } else {
      const before = block[position]
      if (Array.isArray(before)) before.push(value)
      else block[position] = [String(before), value]
    }
  }
  return block
}

/** What outer layers had put on a response before us. */
export type Baseline = ReadonlyArray<readonly [name: string, value: string | string[]]>

/** Fields by lower-case name. The lines of a repeated field are in their order. */
export class FieldMap {
  readonly #lines = new Map<string, string[]>()

  constructor(fields: FlatFields) {
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const name = String(fields[index]).toLowerCase()
      const value = String(fields[index + 1])
      const lines = this.#lines.get(name)
      if (lines) lines.push(value)
      else this.#lines.set(name, [value])
    }
  }

  has(name: string): boolean {
    return this.#lines.has(name)
  }

  /** The lines of a field; empty if it is absent. */
  lines(name: string): readonly string[] {
    return this.#lines.get(name) ?? []
  }

  /** The lines joined with commas, as RFC 9110 section 5.2 has it. */
  get(name: string): string | undefined {
    return this.#lines.get(name)?.join(', ')
  }

  names(): IterableIterator<string> {
    return this.#lines.keys()
  }
}

// oxlint-disable-next-line no-control-regex -- exactly the characters that would split a response
const FORBIDDEN_IN_VALUE = /[\0-\x08\n-\x1f\x7f]|[^\0-\xff]/

/** Whether names and values can go into a response without changing its framing. */
export function areSafe(fields: FlatFields): boolean {
  if (fields.length % 2 !== 0) return false
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index]
    const value = fields[index + 1]
    if (typeof name !== 'string' || typeof value !== 'string') return false
    if (!isToken(name) || FORBIDDEN_IN_VALUE.test(value)) return false
  }
  return true
}

/** Fields that belong to one connection or one message, never to what is stored: RFC 9111 section 3.1. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Lower-case names of the fields of this response that must not be stored, with those that Connection lists. */
export function unstorableNames(fields: FieldMap): ReadonlySet<string> {
  const listed = fields.get('connection')
  if (listed === undefined) return HOP_BY_HOP
  const names = listed.toLowerCase().split(',')
  return new Set([...HOP_BY_HOP, ...names.map((name) => name.trim())])
}

/** The fields with this lower-case name. */
export function fieldsNamed(fields: FlatFields, name: string): string[] {
  return new FieldMap(fields).lines(name).flatMap((line) => [name, line])
}

/** Copies `fields` without those that have one of these lower-case names. */
export function without(fields: FlatFields, names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = String(fields[index])
    if (!names.has(name.toLowerCase())) kept.push(name, String(fields[index + 1]))
  }
  return kept
}
