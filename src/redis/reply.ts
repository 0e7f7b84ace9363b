import { UnexpectedReplyError } from '../errors.ts'

/** A reply that must be a list of at least that many parts. Otherwise throws `UnexpectedReplyError`. */
export function asList(reply: unknown, parts: number): unknown[] {
  if (Array.isArray(reply) && reply.length >= parts) return reply as unknown[]
  throw new UnexpectedReplyError(`a list of ${parts} parts was expected, ${describe(reply)} came`)
}

const QUEUED = Buffer.from('QUEUED')

/** What Redis answers while a MULTI is open on the connection. None of our replies is this text. */
export function isQueued(reply: unknown): boolean {
  return reply === 'QUEUED' || (reply instanceof Buffer && reply.equals(QUEUED))
}

function describe(reply: unknown): string {
  return Array.isArray(reply) ? `one of ${reply.length}` : `a reply of type ${reply === null ? 'null' : typeof reply}`
}
