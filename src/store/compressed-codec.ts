import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { wholeNumber } from '../check.ts'
import { SerializationError } from '../errors.ts'
import { defaultCodec, type Codec } from './codec.ts'

export interface CompressionOptions<V> {
  /** Encoded values of this many bytes or more are compressed. Default 4096: smaller ones gain little. */
  above?: number | undefined
  /** The codec that encodes the value first. Default: the default codec. */
  codec?: Codec<V> | undefined
}

const AS_IT_IS = 0x2d // -
const DEFLATED = 0x7a // z
const DEFAULT_ABOVE = 4096
/** Most bytes of a decompressed value, so that hostile bytes do not fill the memory. */
const LARGEST = 512 * 1024 * 1024

/**
 * A codec that compresses large values (DEFLATE, RFC 1951). It saves memory and network traffic of Redis, and costs time on
 * the event loop, about 10 ms a megabyte. Throws a `TypeError` or `RangeError` that names the option at fault.
 */
export function compressed<V = unknown>(options: CompressionOptions<V> = {}): Codec<V> {
  const { above = DEFAULT_ABOVE, codec = defaultCodec as Codec<V> } = options
  wholeNumber('above', above, { least: 0, expected: 'a whole number of bytes, 0 or more' })
  return {
    immutable: codec.immutable === true,
    encode(value) {
      const bytes = codec.encode(value)
      if (bytes.byteLength < above) return tagged(AS_IT_IS, bytes)
      return tagged(DEFLATED, deflateRawSync(bytes))
    },
    decode(bytes) {
      const body = bytes.subarray(1)
      if (bytes[0] === AS_IT_IS) return codec.decode(body)
      if (bytes[0] !== DEFLATED) throw new SerializationError(`unknown compression ${String(bytes[0])}`)
      return codec.decode(inflateRawSync(body, { maxOutputLength: LARGEST }))
    },
  }
}

function tagged(tag: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(tag), bytes])
}
