import { hashedPart, hashSlot } from '../../redis/hash-slot.ts'
import { leftByTags } from '../../store/tags.ts'
import type { Address } from '../address.ts'
import type { InspectRequest } from '../arguments.ts'
import { type Master, mastersOf } from '../cluster-nodes.ts'
import type { Open } from '../clients/library.ts'
import { openNode, type RedisNode } from '../node.ts'
import { findAwaitedLocks, findLocks, findStored } from './find.ts'
import { type ListedEntry, type ListedLease, lookAtEntry, lookAtLease } from './look.ts'
import { Shortlist } from './shortlist.ts'

/** The contents of one Redis or Cluster: the first of each kind, and how many there are. */
export interface Inventory {
  readonly instance: string
  readonly leases: { readonly total: number; readonly items: readonly ListedLease[] }
  readonly entries: { readonly total: number; readonly items: readonly ListedEntry[] }
}

/** Lists the contents of each Redis of the request. Rejects with the error of the first that fails. */
export async function inspect(request: InspectRequest, open: Open): Promise<Inventory[]> {
  const inventories: Inventory[] = []
  for (const address of request.addresses) inventories.push(await inspectOne(address, request, open))
  return inventories
}

async function inspectOne(address: Address, request: InspectRequest, open: Open): Promise<Inventory> {
  const instance = `${address.host}:${address.port}`
  const entrance = await openNode(open, address, request.timeout)
  const nodes: RedisNode[] = []
  try {
    const masters = await mastersOf(entrance)
    if (masters === undefined) return { instance, ...(await collect([entrance], request, () => entrance)) }
    for (const master of masters) nodes.push(await openNode(open, master.address, request.timeout))
    const ownerOf = (key: string): RedisNode => nodes[indexOfOwner(key, masters)] ?? entrance
    return { instance: `${instance} (Cluster)`, ...(await collect(nodes, request, ownerOf)) }
  } finally {
    for (const node of [entrance, ...nodes]) node.close()
  }
}

/** The key of a tag always has a hash tag. */
function indexOfOwner(key: string, masters: readonly Master[]): number {
  const slot = hashSlot(hashedPart(key))
  return masters.findIndex(({ slots }) => slots.some(({ first, last }) => first <= slot && slot <= last))
}

async function collect(
  nodes: readonly RedisNode[],
  { prefix, limit, locks }: InspectRequest,
  ownerOf: (key: string) => RedisNode,
): Promise<Omit<Inventory, 'instance'>> {
  const readTag = (key: string): Promise<unknown> => ownerOf(key).connection.command('get', key)
  const leases = new Shortlist(limit, lookAtLease)
  const entries = new Shortlist(limit, (found) => {
    return lookAtEntry(found, (envelope, now) => leftByTags(envelope, found.key, now, prefix, readTag))
  })
  for (const { connection } of nodes) {
    for await (const found of findStored(connection, prefix)) {
      await leases.take(found.filter(({ kind }) => kind === 'lease'))
      await entries.take(found.filter(({ kind }) => kind === 'entry'))
    }
    for await (const found of findAwaitedLocks(connection)) await leases.take(found)
    if (locks === undefined) continue
    for await (const found of findLocks(connection, locks)) await leases.take(found)
  }
  return {
    leases: { total: leases.total, items: leases.items },
    entries: { total: entries.total, items: entries.items },
  }
}
