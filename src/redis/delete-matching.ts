import type { Connection } from './connection.ts'
import { SCAN_START, scanStep, type ScanPosition } from './scan.ts'

const BATCH = 500

/**
 * Deletes all keys that begin with `beginning`, batch after batch: neither blocks Redis nor is one step. Keys made while
 * it runs may stay.
 */
export async function deleteBeginningWith(connection: Connection, beginning: string): Promise<void> {
  let position: ScanPosition | undefined = SCAN_START
  while (position !== undefined) {
    const { keys, next } = await scanStep(connection, { beginning }, position, BATCH)
    // One key a command: on a Cluster each lies in a slot of its own. All of a batch travel together.
    await Promise.all(keys.map((key) => connection.command('unlink', key)))
    position = next
  }
}
