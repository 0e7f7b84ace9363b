import type { Connection } from './connection.ts'
import { scanAll } from './scan.ts'

/**
 * Deletes all keys that begin with `beginning`, batch after batch: neither blocks Redis nor is one step. Keys made while
 * it runs may stay.
 */
export async function deleteBeginningWith(connection: Connection, beginning: string): Promise<void> {
  for await (const keys of scanAll(connection, beginning)) {
    // One key a command: on a Cluster each lies in a slot of its own. All of a batch travel together.
    await Promise.all(keys.map((key) => connection.command('unlink', key)))
  }
}
