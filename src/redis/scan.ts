import { keyPrefixOf, type RedisClient } from './client.ts'
import type { Connection } from './connection.ts'

const BATCH = 500

/** The keys that one SCAN has found on one node; a key may be found twice. */
export interface Found {
  /** The node that holds them. */
  readonly node: Connection
  /** As they stand in Redis, with the client's own prefix if it has one. */
  readonly keys: readonly string[]
}

/**
 * All keys that match a glob, batch after batch, on every master of a Cluster: neither blocks Redis nor is one step. Keys
 * made meanwhile may be missing.
 */
export async function* scan(connection: Connection, glob: string): AsyncGenerator<Found> {
  const { client } = connection
  const nodes = client.isCluster ? (client as ClusterClient).nodes('master') : [client]
  for (const node of nodes.map((each) => connection.to(each))) {
    let cursor = '0'
    do {
      const reply = await node.command('scan', cursor, 'MATCH', glob, 'COUNT', BATCH)
      const [next, keys] = reply as [string, string[]]
      yield { node, keys }
      cursor = String(next)
    } while (cursor !== '0')
  }
}

/** The glob of all keys that begin with `beginning`, which the client's own prefix precedes. */
export function globOf(client: RedisClient, beginning: string): string {
  return `${(keyPrefixOf(client) + beginning).replace(/[*?[\]\\^]/g, '\\$&')}*`
}

/** A client of a Cluster knows its nodes. */
interface ClusterClient extends RedisClient {
  nodes(role: 'master'): RedisClient[]
}
