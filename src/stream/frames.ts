import { defaultCodec } from '../store/codec.ts'
import { readFailure, type RemoteFailure } from '../store/notice.ts'

// A frame is one element of a run's log: the head, a chunk, or the end. Its first byte says which. A text is written as it
// is. Any other chunk is written by the default codec, whose first byte is a capital letter.

const HEAD = 0x68 // h
const TEXT = 0x73 // s
const END = 0x65 // e

/** The beginning of a run of a stream. A resumed run keeps its head. */
export interface Head {
  /** Tells one run from another: the token of its first producer. */
  readonly run: string
  /** µs on Redis's clock at which the lease of that producer was granted. */
  readonly beganAt: number
  /** Each time that another producer took it over. */
  readonly resumptions: readonly Resumption[]
}

/** Another producer has taken a run over. */
export interface Resumption {
  /** How many chunks were published by then. */
  readonly from: number
  /** Its token. */
  readonly by: string
}

/** The end of a run of a stream. */
export interface End {
  readonly failure?: StreamFailure | undefined
}

/** Why a stream failed, for other processes. `limit`: it exceeded a limit. */
interface StreamFailure extends RemoteFailure {
  readonly limit?: readonly [option: string, bound: number] | undefined
}

/** Throws `SerializationError` for a chunk that cannot be written without loss. */
export function writeChunk(chunk: unknown): Buffer {
  if (typeof chunk !== 'string' || !chunk.isWellFormed()) return asBuffer(defaultCodec.encode(chunk))
  const frame = Buffer.allocUnsafe(Buffer.byteLength(chunk) + 1)
  frame[0] = TEXT
  frame.write(chunk, 1)
  return frame
}

/** Returns a new object each time. Throws if the frame is not a chunk. */
export function readChunk(frame: Buffer): unknown {
  if (frame[0] === TEXT) return frame.toString('utf8', 1)
  return defaultCodec.decode(new Uint8Array(frame)) // the codec may return a view of its input
}

export function writeHead({ run, beganAt }: Omit<Head, 'resumptions'>): string {
  return `h${JSON.stringify([run, beganAt])}`
}

/** `undefined` for any other frame, and for a damaged head. */
export function readHead(frame: Buffer): Head | undefined {
  if (frame[0] !== HEAD) return undefined
  const told = parsed(frame)
  const [run, beganAt, ...rest] = Array.isArray(told) ? (told as unknown[]) : []
  if (typeof run !== 'string' || typeof beganAt !== 'number') return undefined
  const resumptions: Resumption[] = []
  for (let i = 0; i < rest.length; i += 2) resumptions.push({ from: Number(rest[i]), by: String(rest[i + 1]) })
  return { run, beganAt, resumptions }
}

/** What follows the first byte, as JSON. `undefined` if it is not JSON. */
function parsed(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString('utf8', 1))
  } catch {
    return undefined
  }
}

export function writeEnd({ failure }: End): Buffer {
  return Buffer.from(failure === undefined ? 'e' : `e${JSON.stringify(failure)}`)
}

/** `undefined` for any other frame. */
export function readEnd(frame: Buffer): End | undefined {
  if (frame[0] !== END) return undefined
  if (frame.length === 1) return {}
  const told = parsed(frame) as Partial<StreamFailure> | null | undefined
  const isFailure = [told?.name, told?.message, told?.origin].every((text) => typeof text === 'string')
  return { failure: isFailure ? (told as StreamFailure) : readFailure(frame.toString('utf8', 1)) }
}

/** A message to readers: frames, and the number of the first. */
export interface Message {
  readonly index: number
  readonly frames: readonly Buffer[]
}

/** `undefined` if the message only says that there is something to read, or if it cannot be understood. */
export function readMessage(payload: Buffer): Message | undefined {
  const space = payload.indexOf(0x20)
  if (space === -1) return undefined
  const frames: Buffer[] = []
  for (let at = space + 1; at < payload.length;) {
    const colon = payload.indexOf(0x3a, at)
    const end = colon + 1 + numberIn(payload, at, colon)
    if (!(end <= payload.length)) return undefined
    frames.push(payload.subarray(colon + 1, end))
    at = end
  }
  const index = numberIn(payload, 0, space)
  return Number.isNaN(index) ? undefined : { index, frames }
}

/** NaN if there is no number. */
function numberIn(payload: Buffer, from: number, to: number): number {
  const text = to < from ? '' : payload.toString('latin1', from, to)
  return /^\d+$/.test(text) ? Number(text) : Number.NaN
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
