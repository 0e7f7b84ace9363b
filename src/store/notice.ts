import { AGAIN } from '../redis/scripts/wake-waiters.ts'
import type { ReadEntry } from './entry.ts'

export { AGAIN }

/** What a waiter is told when the refill that it waits for ends. */
export type Notice<V> =
  | { readonly kind: 'entry'; readonly entry: ReadEntry<V> }
  | { readonly kind: 'failed'; readonly failure: RemoteFailure }
  /** Load for yourself: the result is not shareable. */
  | { readonly kind: 'pass' }
  /** Load in your process, for all that wait there: the value cannot be sent. */
  | { readonly kind: 'local' }
  /**
   * Look again: the value was too large for the message, or had too many receivers, or the refill was revoked. `within`: ms
   * over which the waiters spread, so that they do not all come at once.
   */
  | { readonly kind: 'again'; readonly within: number }

/** Look again, at once. */
export const LOOK: Notice<never> = { kind: 'again', within: 0 }

/** The failure of a loader, for other processes. */
export interface RemoteFailure {
  readonly name: string
  readonly message: string
  /** Host and process id. */
  readonly origin: string
}

/** First bytes of a notice. A notice that begins like an envelope is that entry. */
const ENVELOPE = 'h'
const FAILED = 'f'
export const PASS = 'p'
export const LOCAL = 'l'

/** Characters of a failure that others get. Callers in the leader's process get the whole failure. */
const LONGEST_NAME = 200
const LONGEST_MESSAGE = 8000

export function failureNotice(failure: RemoteFailure): string {
  return FAILED + writeFailure(failure)
}

export function writeFailure({ name, message, origin }: RemoteFailure): string {
  return JSON.stringify({ name: cut(name, LONGEST_NAME), message: cut(message, LONGEST_MESSAGE), origin })
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}

/** A notice that cannot be understood says at least that something has happened. */
export function readNotice<V>(bytes: Buffer, decodeEntry: (bytes: Buffer) => ReadEntry<V> | undefined): Notice<V> {
  switch (bytes.toString('latin1', 0, 1)) {
    case ENVELOPE: {
      const entry = decodeEntry(bytes)
      return entry === undefined ? LOOK : { kind: 'entry', entry }
    }
    case FAILED:
      return { kind: 'failed', failure: readFailure(bytes.toString('utf8', 1)) }
    case PASS:
      return { kind: 'pass' }
    case LOCAL:
      return { kind: 'local' }
    case AGAIN:
      return bytes.length === 1 ? LOOK : { kind: 'again', within: Number(bytes.toString('latin1', 1)) || 0 }
    default:
      return LOOK
  }
}

export function readFailure(json: string): RemoteFailure {
  try {
    const { name, message, origin } = JSON.parse(json) as Record<string, unknown>
    return { name: String(name), message: String(message), origin: String(origin) }
  } catch {
    return { name: 'Error', message: json, origin: 'another process' }
  }
}
