import type { Encoded } from './codec.ts'

/**
 * What Redis stores under an entry's key: a header in ASCII, which scripts read by position and people read in redis-cli;
 * the entry's tags, if it has any; and the codec's bytes.
 *
 *     hl1v 1763972400000 1763972430000 1763972400000 0000000042 00029 [["user:7",1763972399900000]]J{"name":"Ada"}
 *     │  │ │             │             │             │          │     │                         └ payload
 *     │  │ │             │             │             │          │     └ tags and, for each, the start of the load
 *     │  │ │             │             │             │          └ bytes of the tags
 *     │  │ │             │             │             └ ms that the loader took
 *     │  │ │             │             └ end of staleIfError
 *     │  │ │             └ end of staleWhileRevalidate
 *     │  │ └ end of ttl; these times are in ms on Redis's clock, set by the script that stores the entry
 *     │  └ kind: v a value; p a marker: callers load for themselves (hit-for-pass); l a marker: processes do; f the
 *     │    remembered failure of a load
 *     └ magic and version
 */
export interface Envelope {
  readonly kind: Kind
  readonly freshUntil: number
  readonly staleUntil: number
  readonly errorUntil: number
  readonly loadTime: number
  readonly tags: readonly StoredTag[]
  readonly payload: Uint8Array
}

/** An envelope to store. Its payload may be text. The script that stores it reads the clock, so it has no times yet. */
export type NewEnvelope = Pick<Envelope, 'kind' | 'loadTime' | 'tags'> & { readonly payload: Encoded }

export type Kind = 'value' | 'pass' | 'local' | 'failed'

/** A tag in readable form, and when the load began, in µs on the clock of the Redis that keeps the tag. */
export type StoredTag = readonly [tag: string, startedAt: number]

const MAGIC = 'hl1'
export const HEADER_LENGTH = 64
const BEGINNINGS: Readonly<Record<Kind, string>> = {
  value: `${MAGIC}v `,
  pass: `${MAGIC}p `,
  local: `${MAGIC}l `,
  failed: `${MAGIC}f `,
}
const KINDS: readonly Kind[] = ['value', 'pass', 'local', 'failed']
const VALUE = BEGINNINGS.value
const NO_INSTANTS = `${digits(0, 13)} ${digits(0, 13)} ${digits(0, 13)}`
const LONGEST_LOAD = 9_999_999_999

/** What to store: text if the payload is text. */
export function encodeEnvelope(envelope: NewEnvelope): Buffer | string {
  const { payload } = envelope
  return typeof payload === 'string' ? encodeHead(envelope) + payload : encodeBytes(envelope, payload)
}

function encodeBytes(envelope: NewEnvelope, payload: Uint8Array): Buffer {
  const head = encodeHead(envelope)
  const headBytes = Buffer.byteLength(head)
  const bytes = Buffer.allocUnsafe(headBytes + payload.byteLength)
  bytes.write(head)
  bytes.set(payload, headBytes)
  return bytes
}

/** All of the envelope but its payload. */
export function encodeHead({ kind, loadTime, tags }: Omit<NewEnvelope, 'payload'>): string {
  const rounded = Math.min(Math.round(loadTime), LONGEST_LOAD)
  if (tags.length > 0) {
    const text = JSON.stringify(tags)
    return headerOf(kind, rounded, Buffer.byteLength(text)) + text
  }
  // The values of one batch have the same header.
  if (last === undefined || last.kind !== kind || last.loadTime !== rounded) {
    last = { kind, loadTime: rounded, header: headerOf(kind, rounded, 0) }
  }
  return last.header
}

/** The last header without tags. */
let last: { readonly kind: Kind; readonly loadTime: number; readonly header: string } | undefined

function headerOf(kind: Kind, loadTime: number, tagBytes: number): string {
  return `${BEGINNINGS[kind]}${NO_INSTANTS} ${digits(loadTime, 10)} ${digits(tagBytes, 5)} `
}

/** The envelope; its payload is a view of `bytes`. `undefined` for bytes of another version, of others, or damaged. */
export function decodeEnvelope(bytes: Buffer): Envelope | undefined {
  const header = readHeader(bytes.toString('latin1', 0, HEADER_LENGTH))
  if (header === undefined) return undefined
  const { tagBytes, ...fields } = header
  const payloadAt = HEADER_LENGTH + tagBytes
  const tags = tagBytes === 0 ? NO_TAGS : parseTags(bytes.toString('utf8', HEADER_LENGTH, payloadAt))
  if (tags === undefined || payloadAt > bytes.length) return undefined
  return { ...fields, tags, payload: bytes.subarray(payloadAt) }
}

/** The fields of the header, which have fixed positions. */
export interface Header extends Omit<Envelope, 'tags' | 'payload'> {
  readonly tagBytes: number
}

/** The header at the beginning of `text`, or `undefined`. Makes no garbage, as a RegExp would. */
export function readHeader(text: string): Header | undefined {
  const kind = KINDS.find((each) => text.startsWith(BEGINNINGS[each]))
  const freshUntil = numberAt(text, 5, 13)
  const staleUntil = numberAt(text, 19, 13)
  const errorUntil = numberAt(text, 33, 13)
  const loadTime = numberAt(text, 47, 10)
  const tagBytes = numberAt(text, 58, 5)
  // One NaN makes the sum NaN.
  if (kind === undefined || Number.isNaN(freshUntil + staleUntil + errorUntil + loadTime + tagBytes)) {
    return undefined
  }
  return { kind, freshUntil, staleUntil, errorUntil, loadTime, tagBytes }
}

/** The end of ttl of a value without tags, NaN for anything else. A hit needs nothing more from a header. */
export function freshUntilOfUntagged(text: string): number {
  return text.startsWith(VALUE) && text.startsWith(UNTAGGED, UNTAGGED_AT) ? numberAt(text, 5, 13) : NaN
}

const UNTAGGED = '00000 '
const UNTAGGED_AT = HEADER_LENGTH - UNTAGGED.length
const NO_TAGS: readonly StoredTag[] = []

/** The decimal number of that many digits there, if a space follows. Otherwise NaN. */
function numberAt(text: string, from: number, digits: number): number {
  let number = 0
  for (let i = from; i < from + digits; i++) {
    const digit = text.charCodeAt(i) - 48
    if (!(digit >= 0 && digit <= 9)) return NaN
    number = number * 10 + digit
  }
  return text.charCodeAt(from + digits) === 32 ? number : NaN
}

function parseTags(json: string): StoredTag[] | undefined {
  try {
    const tags: unknown = JSON.parse(json)
    return Array.isArray(tags) && tags.every(isStoredTag) ? tags : undefined
  } catch {
    return undefined
  }
}

function isStoredTag(tag: unknown): tag is StoredTag {
  return Array.isArray(tag) && tag.length === 2 && typeof tag[0] === 'string' && typeof tag[1] === 'number'
}

function digits(number: number, length: number): string {
  return String(number).padStart(length, '0')
}
