import { keyPrefixOf, type RedisClient } from './client.ts'
import type { Connection } from './connection.ts'

const BATCH = 500

/** A client of a Cluster knows its nodes. */
interface ClusterClient extends RedisClient {
  nodes(role: 'master'): RedisClient[]
}

/**
 * Deletes all keys that begin with `beginning`, by SCAN, batch after batch: neither blocks Redis nor is one step. Keys
 * made while it runs may stay.
 */
export async function deleteBeginningWith(connection: Connection, beginning: string): Promise<void> {
  const { client } = connection
  const keyPrefix = keyPrefixOf(client)
  const pattern = `${(keyPrefix + beginning).replace(/[*?[\]\\^]/g, '\\$&')}*`
  const nodes = client.isCluster ? (client as ClusterClient).nodes('master') : [client]
  for (const node of nodes) {
    const scanner = connection.to(node)
    let cursor = '0'
    do {
      const reply = await scanner.command('scan', cursor, 'MATCH', pattern, 'COUNT', BATCH)
      const [next, found] = reply as [string, string[]]
      // One key a command: on a Cluster each lies in a slot of its own. All of a batch travel together.
      await Promise.all(found.map((key) => connection.command('unlink', key.slice(keyPrefix.length))))
      cursor = String(next)
    } while (cursor !== '0')
  }
}
