import type { Connection } from '../../redis/connection.ts'
import { entryKeysBeginning } from '../../redis/entry-keys.ts'
import { lockKeys, lockOfQueue, QUEUES_BEGINNING } from '../../redis/lock-keys.ts'
import { scanAll } from '../../redis/scan.ts'

/** Something that stands in Redis, found by its name and not looked at yet. */
export interface Found {
  readonly kind: 'entry' | 'lease' | 'lock'
  /** Of entries and leases in its readable, escaped form; of locks as it is. */
  readonly key: string
  /** Its key in Redis, and that of those who wait for it. */
  readonly redisKey: string
  readonly waitersKey: string
  /** A connection to the node that holds it. */
  readonly node: Connection
}

/** Finds all entries and leases under a prefix in one Redis by SCAN, batch after batch. One may be found twice. */
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

/** Finds what may be locks among the keys that begin so: only whoever names the beginning knows. */
export async function* findLocks(node: Connection, beginning: string): AsyncGenerator<readonly Found[]> {
  for await (const keys of scanAll(node, beginning)) {
    yield keys.map((key) => {
      const waitersKey = lockKeys(node.client, key).queue
      return { kind: 'lock', key, redisKey: key, waitersKey, node }
    })
  }
}
