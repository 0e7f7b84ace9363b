import type { Entry } from './entry.ts'

/** What a waiter hears when the refill that it waits for ends. */
export type Notice<V> =
  | { readonly kind: 'entry'; readonly entry: Entry<V> }
  | { readonly kind: 'failed'; readonly failure: RemoteFailure }
  /** Load for yourself: the result is not shareable. */
  | { readonly kind: 'pass' }
  /** Look again: the value was too large for the message, or the refill was revoked. */
  | { readonly kind: 'again' }

/** The failure of a loader as it is told to other processes. */
export interface RemoteFailure {
  readonly name: string
  readonly message: string
  /** Host and process id. */
  readonly origin: string
}

/** First bytes of a notice. One that begins as an envelope does is that entry. */
const ENVELOPE = 'h'
const FAILED = 'f'
export const PASS = 'p'
export const AGAIN = 'a'

export function failureNotice(failure: RemoteFailure): string {
  return FAILED + JSON.stringify(failure)
}

/** What cannot be understood says at least that something has happened. */
export function readNotice<V>(bytes: Buffer, decodeEntry: (bytes: Buffer) => Entry<V> | undefined): Notice<V> {
  switch (bytes.toString('latin1', 0, 1)) {
    case ENVELOPE: {
      const entry = decodeEntry(bytes)
      return entry === undefined ? { kind: 'again' } : { kind: 'entry', entry }
    }
    case FAILED:
      return { kind: 'failed', failure: readFailure(bytes.toString('utf8', 1)) }
    case PASS:
      return { kind: 'pass' }
    default:
      return { kind: 'again' }
  }
}

function readFailure(json: string): RemoteFailure {
  try {
    const { name, message, origin } = JSON.parse(json) as Record<string, unknown>
    return { name: String(name), message: String(message), origin: String(origin) }
  } catch {
    return { name: 'Error', message: json, origin: 'another process' }
  }
}
