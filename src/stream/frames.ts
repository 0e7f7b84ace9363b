import { defaultCodec } from '../store/codec.ts'
import type { RemoteFailure } from '../store/notice.ts'

// A frame is one element of a run's log: the head, a chunk, or the end. Its first byte says which. A chunk that is a text
// stands there as it is; any other is written by the default codec, whose first byte is a capital letter.

const HEAD = 0x68 // h
const TEXT = 0x73 // s
const END = 0x65 // e

/** How a run of a stream begins. A run that is resumed keeps its head. */
export interface Head {
  /** By it those who read tell one run from another: the token of its first producer. */
  readonly run: string
  /** µs on Redis's clock at which the lease of that producer was granted. */
  readonly beganAt: number
}

/** How a run of a stream is over. */
export interface End {
  readonly failure?: StreamFailure | undefined
}

/** Why a stream failed, as other processes are told. `limit`: it went beyond a bound. */
interface StreamFailure extends RemoteFailure {
  readonly limit?: readonly [option: string, bound: number] | undefined
}

/** Throws `SerializationError` for what cannot be written without loss. */
export function writeChunk(chunk: unknown): Buffer {
  if (typeof chunk !== 'string' || !chunk.isWellFormed()) return asBuffer(defaultCodec.encode(chunk))
  const frame = Buffer.allocUnsafe(Buffer.byteLength(chunk) + 1)
  frame[0] = TEXT
  frame.write(chunk, 1)
  return frame
}

/** A new object each time. Throws for what is no chunk. */
export function readChunk(frame: Buffer): unknown {
  if (frame[0] === TEXT) return frame.toString('utf8', 1)
  return defaultCodec.decode(new Uint8Array(frame)) // it may hand out a view on what it is given
}

export function writeHead({ run, beganAt }: Head): string {
  return `h${JSON.stringify([run, beganAt])}`
}

export function readHead(frame: Buffer): Head | undefined {
  if (frame[0] !== HEAD) return undefined
  const [run, beganAt] = JSON.parse(frame.toString('utf8', 1)) as [string, number]
  return { run, beganAt }
}

export function writeEnd({ failure }: End): Buffer {
  return Buffer.from(failure === undefined ? 'e' : `e${JSON.stringify(failure)}`)
}

/** `undefined` for any other frame. */
export function readEnd(frame: Buffer): End | undefined {
  if (frame[0] !== END) return undefined
  return frame.length === 1 ? {} : { failure: JSON.parse(frame.toString('utf8', 1)) as StreamFailure }
}

/** What a message to those who read carries: frames, and the number of the first. */
export interface Message {
  readonly index: number
  readonly frames: readonly Buffer[]
}

/** `undefined` where the message only says that there is something to be asked for. */
export function readMessage(payload: Buffer): Message | undefined {
  const space = payload.indexOf(0x20)
  if (space === -1) return undefined
  const frames: Buffer[] = []
  for (let at = space + 1; at < payload.length;) {
    const colon = payload.indexOf(0x3a, at)
    const end = colon + 1 + Number(payload.toString('latin1', at, colon))
    frames.push(payload.subarray(colon + 1, end))
    at = end
  }
  return { index: Number(payload.toString('latin1', 0, space)), frames }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
