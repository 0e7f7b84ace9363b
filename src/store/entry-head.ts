import type { Connection } from '../redis/connection.ts'
import { orWrongType } from '../redis/wrong-type.ts'
import { decodeEnvelope, HEADER_LENGTH, readHeader, type Envelope } from './envelope.ts'

/** What the key of an entry holds, except the value. */
export interface EntryHead {
  /** `undefined` if there is nothing, or nothing of ours. */
  readonly envelope: Omit<Envelope, 'payload'> | undefined
  /** Size of everything there. */
  readonly bytes: number
  /** Size of what comes before the encoded value. */
  readonly headBytes: number
}

/** This many bytes after the header are read at once, because tags are short. */
const LIKELY_TAGS = 1024

/** Reads the header and the tags of an entry, with plain commands that change nothing. Rejects with Redis's error. */
export async function readHead(connection: Connection, valueKey: string): Promise<EntryHead> {
  const readTo = (end: number): Promise<unknown> => connection.commandBuffer('getrange', valueKey, 0, end - 1)
  const [top, length] = await Promise.all([
    readTo(HEADER_LENGTH + LIKELY_TAGS).catch(orWrongType),
    connection.command('strlen', valueKey).catch(orWrongType),
  ])
  const bytes = Number(length ?? 0)
  const header = Buffer.isBuffer(top) ? readHeader(top.toString('latin1', 0, HEADER_LENGTH)) : undefined
  if (header === undefined) return { envelope: undefined, bytes, headBytes: 0 }
  const headBytes = HEADER_LENGTH + header.tagBytes
  const head = (top as Buffer).length < headBytes ? await readTo(headBytes) : (top as Buffer).subarray(0, headBytes)
  return { envelope: decodeEnvelope(head as Buffer), bytes, headBytes }
}
