import { keyPrefixOf } from './client.ts'
import type { Connection } from './connection.ts'
import { globOf, scan } from './scan.ts'

/**
 * Deletes all keys that begin with `beginning`, by SCAN, batch after batch: neither blocks Redis nor is one step. Keys
 * made while it runs may stay.
 */
export async function deleteBeginningWith(connection: Connection, beginning: string): Promise<void> {
  const { client } = connection
  const keyPrefix = keyPrefixOf(client)
  for await (const { keys } of scan(connection, globOf(client, beginning))) {
    // One key a command: on a Cluster each lies in a slot of its own. All of a batch travel together.
    await Promise.all(keys.map((key) => connection.command('unlink', key.slice(keyPrefix.length))))
  }
}
