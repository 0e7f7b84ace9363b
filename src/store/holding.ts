import type { Connection } from '../redis/connection.ts'
import { processOfInbox } from '../redis/inbox-address.ts'
import { asList } from '../redis/reply.ts'
import { TOKEN_PREFIX } from '../redis/scripts/tell.ts'
import { orWrongType } from '../redis/wrong-type.ts'

/** What Redis tells about a held lease or lock. */
export interface Holding {
  /** The inbox of the process that holds it. For a token that is not ours, its beginning. Never a whole token. */
  readonly holder: string
  readonly isOurs: boolean
  /** ms after which it ends unless it is extended. `undefined` if it never ends. */
  readonly remaining: number | undefined
  /** For a lease the number of processes that wait, for a lock the number of waiters. */
  readonly waiting: number
}

/** The reply of PTTL for a missing key. */
export const GONE = -2

/** The holder of the lease or lock under `key`, if there is one. Rejects with Redis's error. */
export async function readHolding(
  connection: Connection,
  key: string,
  kind: 'lease' | 'lock',
  waitersKey: string,
): Promise<Holding | undefined> {
  const [token, pttl, waiting] = await Promise.all([
    connection.command('get', key).catch(orWrongType),
    connection.command('pttl', key),
    (kind === 'lock' ? connection.command('zcard', waitersKey) : processesIn(connection, waitersKey)).catch(
      orWrongType,
    ),
  ])
  if (typeof token !== 'string' || Number(pttl) === GONE) return undefined
  const remaining = Number(pttl) < 0 ? undefined : Number(pttl)
  return { ...holderOf(token), remaining, waiting: Number(waiting ?? 0) }
}

/** On a Cluster a process may appear twice: with the address of its inbox, and with an address for one shard. */
async function processesIn(connection: Connection, waitersKey: string): Promise<number> {
  const addresses = asList(await connection.command('smembers', waitersKey), 0).map(String)
  return new Set(addresses.map(processOfInbox)).size
}

/** The inbox of the process that made the token. `undefined` if the token is not ours. */
export function inboxOf(token: string): string | undefined {
  return token.startsWith(TOKEN_PREFIX) ? token.slice(TOKEN_PREFIX.length).split(':')[0] : undefined
}

function holderOf(token: string): Pick<Holding, 'holder' | 'isOurs'> {
  const inbox = inboxOf(token)
  if (inbox !== undefined) return { holder: inbox, isOurs: true }
  return { holder: `${token.slice(0, Math.min(8, token.length / 2))}…`, isOurs: false }
}
