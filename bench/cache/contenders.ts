import { clientPairs } from './clients.ts'
import type { Contender } from './contender.ts'
import { herdlock, herdlockWithRedis } from './herdlock.ts'
import { batchedGet, claimAndPush, plainGet, promisesInMap, sharedPromise, valuesInMap } from './limits.ts'
import {
  asyncCacheDedupe,
  bentocache,
  byHand,
  cacheable,
  cachified,
  layeredLoader,
  lruCache,
  rawLruCache,
} from './peers.ts'

const peers = [layeredLoader, asyncCacheDedupe, cachified, bentocache, cacheable]

/** Who takes part in which question; the first of each is what the others are compared with. */
export const contenders = {
  memoryHits: [promisesInMap, valuesInMap, herdlock, herdlockWithRedis, lruCache, ...peers],
  peeks: [valuesInMap, herdlock, lruCache, layeredLoader],
  misses: [rawLruCache, herdlock, lruCache, ...peers],
  redisHits: [plainGet, batchedGet, herdlock, ...peers],
  /** Those that can keep bytes as they are. */
  byteHits: [plainGet, batchedGet, herdlock],
  clientHits: clientPairs.flatMap(({ own, cached }) => [own, cached]),
  herds: [claimAndPush, herdlock, byHand, ...peers],
  entries: [rawLruCache, valuesInMap, herdlock, ...peers],
  waiters: [sharedPromise, herdlock, lruCache, ...peers],
} as const satisfies Record<string, readonly Contender[]>

export type Question = keyof typeof contenders

export function contender(name: string): Contender {
  for (const list of Object.values(contenders)) {
    const found = (list as readonly Contender[]).find((each) => each.name === name)
    if (found !== undefined) return found
  }
  throw new Error(`no contender ${name}`)
}
