/** GLIDE's names for the codes at the start of Redis's errors. */
const CODES: Readonly<Record<string, string>> = {
  ResponseError: 'ERR',
  ExecAbortError: 'EXECABORT',
  BusyLoadingError: 'LOADING',
  NoScriptError: 'NOSCRIPT',
  Moved: 'MOVED',
  Ask: 'ASK',
  TryAgain: 'TRYAGAIN',
  ClusterDown: 'CLUSTERDOWN',
  CrossSlot: 'CROSSSLOT',
  MasterDown: 'MASTERDOWN',
  ReadOnly: 'READONLY',
  NotBusy: 'NOTBUSY',
  PermissionDenied: 'NOPERM',
}

const KNOWN = /^An error was signalled by the server: ?- (\w+)(?:: (.*))?$/s
/** A code without a name in GLIDE. */
const OTHER = /^([A-Z][A-Z0-9_]*): (.*)$/s

/** Why a client could not be created. */
const NOT_CONNECTED = /^Connection error: Standalone\(Received error(?: for address `[^`]*`)?: (.*?)\s*\)$/s

/**
 * An error reply of Redis in the form of ioredis: a `ReplyError` with Redis's own text. For an error while connecting,
 * its cause. Other errors stay as they are.
 */
export function asReplyError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (error.name === 'RequestError') return replyIn(error.message, error) ?? error
  const [, why] = NOT_CONNECTED.exec(error.message) ?? []
  return why === undefined ? error : (replyIn(why, error) ?? new Error(why, { cause: error }))
}

function replyIn(message: string, cause: Error): Error | undefined {
  const [, word = '', detail = ''] = KNOWN.exec(message) ?? OTHER.exec(message) ?? []
  if (word === '') return undefined
  const reply = new Error(`${CODES[word] ?? word} ${detail}`, { cause })
  reply.name = 'ReplyError'
  return reply
}
