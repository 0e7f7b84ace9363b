import { isErrorReply } from '../redis/client-error.ts'
import type { Address } from './address.ts'
import type { RedisNode } from './node.ts'

export interface SlotRange {
  readonly first: number
  readonly last: number
}

/** A master of a Cluster, at the address that the Cluster names. */
export interface Master {
  readonly address: Address
  readonly slots: readonly SlotRange[]
}

type SlotsReply = [first: number, last: number, master: [host: string | null, port: number], ...replicas: unknown[]][]

/**
 * The masters of the Cluster that `node` belongs to; `undefined` for a single Redis, or if the user may not ask. Login
 * and TLS are assumed to be the same on all.
 */
export async function mastersOf({ address, connection }: RedisNode): Promise<Master[] | undefined> {
  let reply: SlotsReply
  try {
    reply = (await connection.command('cluster', 'slots')) as SlotsReply
  } catch (error) {
    if (isErrorReply(error)) return undefined
    throw error
  }
  const masters = new Map<string, { address: Address; slots: SlotRange[] }>()
  for (const [first, last, [host, port]] of reply) {
    // A node that does not know its own name is the node that was asked.
    const own = { ...address, host: host === null || host === '' ? address.host : host, port, db: 0 }
    const name = `${own.host}:${own.port}`
    const master = masters.get(name) ?? { address: own, slots: [] }
    masters.set(name, master)
    master.slots.push({ first, last })
  }
  return masters.size === 0 ? [{ address, slots: [] }] : [...masters.values()]
}
