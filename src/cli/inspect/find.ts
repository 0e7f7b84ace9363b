import type { Connection } from '../../redis/connection.ts'
import { entryKeysBeginning } from '../../redis/entry-keys.ts'
import { lockKeys, lockOfQueue, QUEUES_BEGINNING } from '../../redis/lock-keys.ts'
import { scanAll } from '../../redis/scan.ts'

/** Something in Redis that was found by its name and not examined yet. */
export interface Found {
  readonly kind: 'entry' | 'lease' | 'lock'
  /** For entries and leases the readable, escaped form; for locks the key itself. */
  readonly key: string
  /** Its key in Redis, and the key of its waiters. */
  readonly redisKey: string
  readonly waitersKey: string
  /** A connection to the node that holds it. */
  readonly node: Connection
}

/** Finds all entries and leases under a prefix in one Redis with SCAN, batch after batch. It may find one twice. */
export async function* findStored(node: Connection, prefix: string): AsyncGenerator<readonly Found[]> {
  for await (const keys of scanAll(node, entryKeysBeginning(prefix))) {
    yield keys.flatMap((redisKey): Found | [] => {
      const [, key, part] = /\{([^{}]*)\}(:lease)?$/.exec(redisKey) ?? []
      if (key === undefined) return []
      const waitersKey = `${redisKey.slice(0, redisKey.length - (part?.length ?? 0))}:waiters`
      return { kind: part === undefined ? 'entry' : 'lease', key, redisKey, waitersKey, node }
    })
  }
}

/** Finds the locks that somebody waits for, by their queues. */
export async function* findAwaitedLocks(node: Connection): AsyncGenerator<readonly Found[]> {
  for await (const keys of scanAll(node, QUEUES_BEGINNING)) {
    yield keys.flatMap((waitersKey): Found | [] => {
      const key = lockOfQueue(waitersKey)
      return key === undefined ? [] : { kind: 'lock', key, redisKey: key, waitersKey, node }
    })
  }
}

/** Finds keys with this prefix that may be locks. Only the user who names the prefix knows whether they are. */
export async function* findLocks(node: Connection, beginning: string): AsyncGenerator<readonly Found[]> {
  for await (const keys of scanAll(node, beginning)) {
    yield keys.map((key) => {
      const waitersKey = lockKeys(node.client, key).queue
      return { kind: 'lock', key, redisKey: key, waitersKey, node }
    })
  }
}
