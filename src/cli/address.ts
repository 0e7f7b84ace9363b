import { isIP } from 'node:net'
import { UsageError } from './usage-error.ts'

/** Where a Redis is and how to log in there. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: boolean
}

/** Reads `redis[s]://[user[:password]@]host[:port][/db]`. Throws `UsageError`, which does not repeat the URL. */
export function parseAddress(text: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^(redis|valkey)s?:$/.test(url.protocol) || url.hostname === '') {
    throw new UsageError('a URL must read redis://[user:password@]host[:port][/db], or rediss:// for TLS')
  }
  const db = url.pathname.replace(/^\//, '')
  if (!/^\d*$/.test(db)) throw new UsageError('the path of a URL must be the number of a database')
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    username: decode(url.username),
    password: decode(url.password),
    db: Number(db),
    tls: /^(rediss|valkeys):$/.test(url.protocol),
  }
}

/** The option of `tls.connect` that asks a named host for its certificate. */
export function serverNameOf({ host }: Address): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}

function decode(text: string): string | undefined {
  if (text === '') return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UsageError('user and password in a URL must be percent-encoded')
  }
}
