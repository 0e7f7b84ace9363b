import type { Connection } from './connection.ts'
import { asList } from './reply.ts'

/** Where a scan continues: the number of a master, and SCAN's cursor there. */
export type ScanPosition = `${number}:${string}`

export const SCAN_START: ScanPosition = '0:0'

/**
 * One step of a scan over all masters. It checks about `count` keys and returns those with this beginning and end, some
 * perhaps twice. `next` is undefined after the last step. Keys created while a scan runs may be missed.
 */
export async function scanStep(
  connection: Connection,
  { beginning, ending = '' }: { beginning: string; ending?: string },
  position: ScanPosition,
  count: number,
): Promise<{ keys: string[]; next: ScanPosition | undefined }> {
  const { client } = connection
  const nodes = await client.masters()
  const [number, cursor] = position.split(':') as [string, string]
  const node = nodes[Number(number)]
  if (node === undefined) return { keys: [], next: undefined } // the Cluster has fewer masters than before
  const { keyPrefix } = client
  const pattern = `${literally(keyPrefix + beginning)}*${literally(ending)}`
  const reply = await connection.to(node).command('scan', cursor, 'MATCH', pattern, 'COUNT', count)
  const [nextCursor, found] = asList(reply, 2) as [string, string[]]
  return {
    keys: found.map((key) => key.slice(keyPrefix.length)),
    next: after(Number(number), nextCursor, nodes.length),
  }
}

/** Keys that Redis checks in one step of a whole scan. */
const BATCH = 500

/** All keys with this beginning, batch after batch, some perhaps twice. Keys created while it runs may be missed. */
export async function* scanAll(connection: Connection, beginning: string): AsyncGenerator<readonly string[]> {
  let position: ScanPosition | undefined = SCAN_START
  while (position !== undefined) {
    const { keys, next } = await scanStep(connection, { beginning }, position, BATCH)
    yield keys
    position = next
  }
}

function after(node: number, cursor: string, nodes: number): ScanPosition | undefined {
  if (String(cursor) !== '0') return `${node}:${cursor}`
  return node + 1 < nodes ? `${node + 1}:0` : undefined
}

function literally(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&')
}
