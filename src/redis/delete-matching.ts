import type { Connection } from './connection.ts'
import { scanAll } from './scan.ts'

/**
 * Deletes all keys that begin with `beginning`, batch after batch. It does not block Redis and is not atomic. Keys
 * created while it runs may stay.
 */
export async function deleteBeginningWith(connection: Connection, beginning: string): Promise<void> {
  for await (const keys of scanAll(connection, beginning)) {
    // One key per command, because on a Cluster each may be in another slot. All commands of a batch travel together.
    await Promise.all(keys.map((key) => connection.command('unlink', key)))
  }
}
