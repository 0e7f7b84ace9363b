/** An error of the client's as an `Error`, with the instance it came from, and without the password of a refused log-in. */
export function clientError(error: unknown, instance: string): Error {
  const known = error instanceof Error ? error : new Error(String(error))
  const { command } = known as { command?: { name?: unknown; args?: unknown } } // ioredis adds it
  if (/^(auth|hello)$/i.test(String(command?.name))) delete command?.args
  if (!('instance' in known)) Object.defineProperty(known, 'instance', { value: instance, enumerable: true })
  return known
}

/** Whether `error` has come of a command to an instance, by `clientError` or at a deadline. */
export function comesFromInstance(error: unknown): boolean {
  return error instanceof Error && 'instance' in error
}

/** Whether `error` is Redis's error reply that starts with `code`, as in `NOSCRIPT No matching script`. */
export function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code)
}

/** Whether Redis has answered, with an error: as ioredis names it, and as node-redis does. */
export function isErrorReply(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.name === 'ReplyError' || /^(Simple|Blob)Error$/.test(error.constructor.name)
}

/** Whether the user lacks the right to a command, which may be one in a script. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && /^NOPERM|can't run this command/.test(error.message)
}

/**
 * Whether a Redis refused keys of several hash slots in one command. A Redis that is sharded behind one address (by
 * Redis Enterprise or Envoy, say) does so, though its client is none of a Cluster.
 */
export function isCrossSlot(error: unknown): boolean {
  return error instanceof Error && CROSS_SLOT.test(error.message)
}

/** The latter two of keys that a script names itself, as those of tags. */
const CROSS_SLOT = /CROSSSLOT|do not hash to the same slot|non local key in a cluster/
