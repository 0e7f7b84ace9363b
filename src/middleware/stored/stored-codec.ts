import { areSafe } from '../rules/fields.ts'
import { StoredResponse, type StoredParts } from './stored-response.ts'
import { VaryIndex } from './vary-index.ts'

/** What this middleware keeps in a cache. */
export type Stored = StoredResponse | VaryIndex

const VERSION = 3
const RESPONSE = 1
const INDEX = 2
const PREFIX_BYTES = 6

type ResponseMeta = Omit<StoredParts, 'body'> & { bodyBytes: number }

/**
 * Bytes of a stored value: version, kind, length of the description, the description as JSON, then the body as it is.
 * Bytes that come back are not trusted. Anything that is not exactly what was written, or that could split a response, is
 * an error, which the cache takes as a miss.
 */
export const storedCodec: {
  readonly immutable: true
  encode(value: Stored): Uint8Array
  decode(bytes: Uint8Array): Stored
} = {
  immutable: true,
  encode(value) {
    if (value instanceof VaryIndex) return pack(INDEX, value.describe(), Buffer.alloc(0))
    const { body, status, statusMessage, fields, removed, joins, respondedAt, lifetime } = value
    const { mustValidate, explicit, selecting } = value
    const meta: ResponseMeta = {
      ...{ status, statusMessage, fields, removed, joins, respondedAt, lifetime, mustValidate, explicit, selecting },
      bodyBytes: body.length,
    }
    return pack(RESPONSE, meta, body)
  },
  decode(bytes) {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (all.length < PREFIX_BYTES || all[0] !== VERSION) throw new Error('not a stored response of this version')
    const bodyAt = PREFIX_BYTES + all.readUInt32BE(2)
    if (bodyAt > all.length) throw new Error('stored response is truncated')
    const description: unknown = JSON.parse(all.toString('utf8', PREFIX_BYTES, bodyAt))
    if (!isRecord(description)) throw new Error('stored response has no description')
    if (all[1] === INDEX) return indexFrom(description)
    if (all[1] !== RESPONSE) throw new Error('stored value of an unknown kind')
    return responseFrom(description, all.subarray(bodyAt))
  },
}

function pack(kind: number, description: unknown, body: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(description))
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix[0] = VERSION
  prefix[1] = kind
  prefix.writeUInt32BE(json.length, 2)
  return Buffer.concat([prefix, json, body])
}

function indexFrom(description: Record<string, unknown>): VaryIndex {
  const { generation, fields } = description
  if (typeof generation !== 'string' || !isStrings(fields)) throw new Error('stored variants are malformed')
  return new VaryIndex(generation, fields)
}

function responseFrom(meta: Record<string, unknown>, body: Buffer): StoredResponse {
  const { status, statusMessage, fields, removed, joins, respondedAt, lifetime } = meta
  const { mustValidate, explicit, selecting, bodyBytes } = meta
  if (!Number.isInteger(status) || Number(status) < 200 || Number(status) > 999) throw new Error('stored status')
  if (typeof statusMessage !== 'string' || !areSafe(['status-message', statusMessage])) throw new Error('stored reason')
  if (!isStrings(fields) || !areSafe(fields)) throw new Error('stored fields are malformed')
  if (!isStrings(removed) || !isStrings(joins)) throw new Error('stored names of fields are malformed')
  if (!isFinite(respondedAt)) throw new Error('stored times are malformed')
  if (typeof mustValidate !== 'boolean' || typeof explicit !== 'boolean') throw new Error('stored flags are malformed')
  if (!isRecord(lifetime) || !LIFETIME_PARTS.every((name) => isFinite(lifetime[name])))
    throw new Error('stored lifetime')
  if (!isSelecting(selecting)) throw new Error('stored selecting fields are malformed')
  if (bodyBytes !== body.length) throw new Error('stored body is truncated')
  return new StoredResponse({
    status: Number(status),
    statusMessage,
    fields,
    removed,
    joins,
    body,
    respondedAt,
    lifetime: {
      age: Number(lifetime['age']),
      freshness: Number(lifetime['freshness']),
      staleWhileRevalidate: Number(lifetime['staleWhileRevalidate']),
      staleIfError: Number(lifetime['staleIfError']),
    },
    mustValidate,
    explicit,
    selecting,
  })
}

const LIFETIME_PARTS = ['age', 'freshness', 'staleWhileRevalidate', 'staleIfError']

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isFinite(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isSelecting(value: unknown): value is Array<[string, string | null]> {
  return (
    Array.isArray(value) &&
    value.every(
      (pair: unknown) =>
        Array.isArray(pair) &&
        pair.length === 2 &&
        typeof pair[0] === 'string' &&
        (typeof pair[1] === 'string' || pair[1] === null),
    )
  )
}
