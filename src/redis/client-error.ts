/** An error of the client as an `Error`, with its instance, and without the password of a refused login. */
export function clientError(error: unknown, instance: string): Error {
  const known = error instanceof Error ? error : new Error(String(error))
  const { command } = known as { command?: { name?: unknown; args?: unknown } } // ioredis adds it
  if (/^(auth|hello)$/i.test(String(command?.name))) delete command?.args
  if (!('instance' in known)) Object.defineProperty(known, 'instance', { value: instance, enumerable: true })
  return known
}

/** Whether `error` comes from a command to an instance, from `clientError` or from a deadline. */
export function comesFromInstance(error: unknown): boolean {
  return error instanceof Error && 'instance' in error
}

/** Whether `error` is Redis's error reply that starts with `code`, as in `NOSCRIPT No matching script`. */
export function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code)
}

/** Whether Redis has answered with an error: with the names of ioredis and of node-redis. */
export function isErrorReply(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.name === 'ReplyError' || /^(Simple|Blob)Error$/.test(error.constructor.name)
}

/** Whether the user lacks the right to a command, which may be one in a script. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && /^NOPERM|can't run this command/.test(error.message)
}

/**
 * Whether a Redis refused keys of several hash slots in one command. A Redis that is sharded behind one address (for
 * example by Redis Enterprise or Envoy) does so, although its client is not a Cluster client.
 */
export function isCrossSlot(error: unknown): boolean {
  return error instanceof Error && CROSS_SLOT.test(error.message)
}

/** The last two are for keys that a script names itself, such as those of tags. */
const CROSS_SLOT = /CROSSSLOT|do not hash to the same slot|non local key in a cluster/
