/**
 * What is stored in Redis under an entry's key: a header of fixed width in ASCII, which scripts read by position and
 * people read in redis-cli, and the codec's bytes.
 *
 *     hl1v 1763972400000 1763972430000 1763972400000 0000000042 J{"name":"Ada"}
 *     │  │ │             │             │             │          └ payload
 *     │  │ │             │             │             └ ms that the loader took
 *     │  │ │             │             └ end of staleIfError
 *     │  │ │             └ end of staleWhileRevalidate
 *     │  │ └ end of ttl; all three are instants in ms on Redis's clock
 *     │  └ kind: v a value, p a hit-for-pass marker
 *     └ magic and version
 */
export interface Envelope {
  readonly kind: 'value' | 'pass'
  readonly freshUntil: number
  readonly staleUntil: number
  readonly errorUntil: number
  readonly loadTime: number
  readonly payload: Uint8Array
}

const MAGIC = 'hl1'
const HEADER = /^hl1([vp]) (\d{13}) (\d{13}) (\d{13}) (\d{10}) $/
const HEADER_LENGTH = 58
const LAST_INSTANT = 9_999_999_999_999
const LONGEST_LOAD = 9_999_999_999

export function encodeEnvelope(envelope: Envelope): Buffer {
  const { kind, freshUntil, staleUntil, errorUntil, loadTime, payload } = envelope
  const header =
    `${MAGIC}${kind === 'value' ? 'v' : 'p'} ${instant(freshUntil)} ${instant(staleUntil)} ${instant(errorUntil)} ` +
    `${String(Math.min(Math.round(loadTime), LONGEST_LOAD)).padStart(10, '0')} `
  const bytes = Buffer.allocUnsafe(HEADER_LENGTH + payload.byteLength)
  bytes.write(header, 'latin1')
  bytes.set(payload, HEADER_LENGTH)
  return bytes
}

/** The envelope, its payload a view on `bytes`; `undefined` for bytes of another version, of others, or damaged. */
export function decodeEnvelope(bytes: Buffer): Envelope | undefined {
  const fields = HEADER.exec(bytes.toString('latin1', 0, HEADER_LENGTH))
  if (fields === null) return undefined
  return {
    kind: fields[1] === 'v' ? 'value' : 'pass',
    freshUntil: Number(fields[2]),
    staleUntil: Number(fields[3]),
    errorUntil: Number(fields[4]),
    loadTime: Number(fields[5]),
    payload: bytes.subarray(HEADER_LENGTH),
  }
}

function instant(at: number): string {
  return String(Math.min(Math.max(Math.round(at), 0), LAST_INSTANT)).padStart(13, '0')
}
