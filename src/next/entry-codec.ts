/** An entry of `'use cache'` as it is stored: what Next says about it, and the bytes of its stream. */
export interface StoredEntry {
  readonly tags: readonly string[]
  /** All three in seconds, as in Next. */
  readonly stale: number
  readonly expire: number
  readonly revalidate: number
  /** ms since 1970, when it began to be rendered. */
  readonly timestamp: number
  readonly body: Uint8Array
}

const VERSION = 1
const HEAD_BYTES = 5

/** Version, length of the description, the description as JSON, then the body as it is. Anything else is an error. */
export const entryCodec = {
  /** Nobody changes these values: each reader gets a copy of the body. */
  immutable: true,
  encode({ body, ...description }: StoredEntry): Uint8Array {
    const json = Buffer.from(JSON.stringify(description))
    const head = Buffer.alloc(HEAD_BYTES)
    head[0] = VERSION
    head.writeUInt32BE(json.length, 1)
    return Buffer.concat([head, json, body])
  },
  decode(bytes: Uint8Array): StoredEntry {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (all.length < HEAD_BYTES || all[0] !== VERSION) throw new Error('not an entry of this version')
    const bodyAt = HEAD_BYTES + all.readUInt32BE(1)
    if (bodyAt > all.length) throw new Error('the entry is truncated')
    const said = JSON.parse(all.toString('utf8', HEAD_BYTES, bodyAt)) as Record<string, unknown>
    const { tags, stale, expire, revalidate, timestamp } = said
    if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) throw new Error('its tags are malformed')
    const [staleFor, expireIn, revalidateIn, at] = [stale, expire, revalidate, timestamp].map(toNumber)
    return {
      tags,
      stale: staleFor as number,
      expire: expireIn as number,
      revalidate: revalidateIn as number,
      timestamp: at as number,
      body: all.subarray(bodyAt),
    }
  },
} as const

/** JSON has no Infinity and writes null. */
function toNumber(value: unknown): number {
  if (value === null) return Infinity
  if (typeof value !== 'number') throw new Error('its times are malformed')
  return value
}
