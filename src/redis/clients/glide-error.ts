/** GLIDE's words for the codes with which Redis's errors begin. */
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
/** A code that GLIDE has no word for. */
const OTHER = /^([A-Z][A-Z0-9_]*): (.*)$/s

/** An error that Redis has answered, as ioredis has it: a `ReplyError` with Redis's own words. Others stay as they are. */
export function asReplyError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'RequestError') return error
  const [, word = '', detail = ''] = KNOWN.exec(error.message) ?? OTHER.exec(error.message) ?? []
  if (word === '') return error
  const reply = new Error(`${CODES[word] ?? word} ${detail}`, { cause: error })
  reply.name = 'ReplyError'
  return reply
}
