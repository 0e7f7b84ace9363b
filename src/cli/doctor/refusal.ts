import type { Finding, Level } from './finding.ts'

/** What Redis's error replies mean for us, by their first word. */
const REFUSALS: Readonly<Record<string, { readonly means: string; readonly change: string }>> = {
  OOM: { means: 'Redis is full', change: 'raise maxmemory, or see the check of memory' },
  READONLY: { means: 'this is a replica', change: 'let clients connect to the master' },
  MISCONF: {
    means: 'Redis cannot save to disk and refuses writes because of that',
    change: 'see its log and free the disk; or CONFIG SET stop-writes-on-bgsave-error no',
  },
  NOREPLICAS: {
    means: 'too few replicas are connected for writes',
    change: 'bring replicas back, or lower min-replicas-to-write',
  },
  LOADING: { means: 'Redis is loading its data', change: 'try again when it is done' },
  MASTERDOWN: { means: 'a replica that has lost its master', change: 'let clients connect to the master' },
  CLUSTERDOWN: { means: 'the Cluster does not serve this slot', change: 'redis-cli --cluster check' },
  NOAUTH: { means: 'a password is wanted', change: 'put it into the URL: redis://user:password@host' },
  WRONGPASS: {
    means: 'user or password is wrong',
    change: 'correct them in the URL; percent-encode special characters',
  },
}

/** Checks that run scripts over several keys. Proxies refuse them with their own messages. */
const SCRIPTED = ['scripts', 'entries', 'locks']
const NO_PROXY =
  'if a proxy stands between: connect to Redis itself, or let it pass EVAL and EVALSHA with several keys of one hash tag'

/** A finding about an operation that Redis has refused. `rights` are the rights that it needs. */
export function refused(check: string, what: string, error: unknown, rights: string, level: Level = 'fail'): Finding {
  const message = messageOf(error)
  const code = /^[A-Z]+/.exec(message)?.[0] ?? ''
  if (code === 'NOPERM') {
    return { check, level, said: `${what} is not allowed: ${message}`, change: `ACL SETUSER <user> ${rights}` }
  }
  const known = REFUSALS[code]
  if (known === undefined) {
    const said = `${what} failed: ${message}`
    return SCRIPTED.includes(check) ? { check, level, said, change: NO_PROXY } : { check, level, said }
  }
  return { check, level, said: `${what} failed, ${known.means}: ${message}`, change: known.change }
}

/** Whether Redis has refused the login itself. */
export function isLogInRefused(error: unknown): boolean {
  return /^(NOAUTH|WRONGPASS|ERR invalid password|ERR AUTH|ERR Client sent AUTH)/.test(messageOf(error))
}

/** Without the position in a script, and without the name of an option that the command line does not have. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message
    .replace(/^ERR (?=(Error running script|The user executing the script))/, '')
    .replace(/ script: [0-9a-f]{40},.*$/, '')
    .replace(/commandTimeout \((\d+ ms)\)/, '$1')
}
