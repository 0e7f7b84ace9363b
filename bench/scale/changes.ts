import { setTimeout as sleep } from 'node:timers/promises'
import { type Cache, createCache } from 'herdlock'
import { Redis } from 'ioredis'
import type { RedisServer } from '../../test/support/redis-server.ts'
import { Fleet } from './fleet.ts'
import { spentOn } from './redis-thread.ts'

export const PREFIX = 'scale'
/** What every process of herdlock listens to beside its inbox. */
const CHANNELS = [`${PREFIX}:backplane`, `herdlock:inbox:joined:${PREFIX}:backplane`]
/** The same for processes that hear only of what they hold. */
const PARTS = `herdlock:inbox:part:${PREFIX}:backplane:`
/** Keys that such a process holds, and processes that hold one key. */
const EACH = 100
const HOLDERS = 10
const SECONDS = 3
const MAKERS = 10
const GATHERED = 100

export interface ChangeFigures {
  /** ms of Redis's thread for one change that comes alone. */
  readonly lone: number
  /** The same for each of `GATHERED` that are made at once. */
  readonly gathered: number
  /** By changes a second that were asked for: the same for each that was made. */
  readonly rates: ReadonlyMap<number, number>
  /** The same for 1000 changes a second that ten processes make. */
  readonly ofMany: number
}

/** What changes by herdlock cost a Redis to which `size` processes listen. */
export async function measureChanges(
  server: RedisServer,
  size: number,
  rates: readonly number[],
  messages: 'all' | 'held',
): Promise<ChangeFigures> {
  const fleet = await Fleet.open(size, [server.port])
  const keys = messages === 'all' ? GATHERED : (size * EACH) / HOLDERS
  const held = { prefix: PARTS, each: EACH, of: keys, keys: 'key ' }
  if (messages === 'all') await fleet.all({ do: 'subscribe', channels: CHANNELS })
  else await fleet.all({ do: 'subscribe', channels: [`${PARTS}all`], held })
  const clients = Array.from({ length: MAKERS }, () => new Redis(server.url))
  const caches = clients.map((redis) => {
    const memory = { maxEntries: 100, messages }
    const cache = createCache({ ttl: 600_000, redis, prefix: PREFIX, commandTimeout: 60_000, memory })
    cache.on('error', ({ error }) => console.error(error))
    return cache
  })
  const [cache] = caches as [Cache]
  try {
    await cache.set('key 0', 'value')
    await sleep(300)
    const count = Math.max(10, Math.min(200, Math.round(50_000 / size)))
    const lone = await spentOn([server], async () => {
      for (let n = 0; n < count; n++) {
        await cache.set(`key ${n % keys}`, 'value')
        await sleep(3)
      }
    })
    const rounds = Math.max(2, Math.min(20, Math.round(10_000 / size)))
    const gathered = await spentOn([server], async () => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(Array.from({ length: GATHERED }, (_, n) => cache.set(`key ${n % keys}`, 'value')))
      }
    })
    const atRates = new Map<number, number>()
    for (const rate of rates) {
      let made = 0
      const { busy } = await spentOn(
        [server],
        async () => (made = await makeAtRate(rate, (n) => cache.set(`key ${n % keys}`, 'v'))),
      )
      atRates.set(rate, busy / made)
    }
    for (const each of caches) await each.set('key 0', 'value')
    let made = 0
    const ofMany = await spentOn([server], async () => {
      made = await makeAtRate(1000, (n) => (caches[n % MAKERS] as Cache).set(`key ${n % keys}`, 'v'))
    })
    return {
      lone: lone.busy / count,
      gathered: gathered.busy / rounds / GATHERED,
      rates: atRates,
      ofMany: ofMany.busy / made,
    }
  } finally {
    await Promise.all(caches.map((each) => each.close()))
    for (const client of clients) client.disconnect()
    await fleet.close()
  }
}

/** Asks for so many changes a second, for some seconds, and waits until all are made that were begun. */
async function makeAtRate(rate: number, change: (n: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  let begun = 0
  const underWay = new Set<Promise<unknown>>()
  while (performance.now() - startedAt < SECONDS * 1000) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * rate) + 1
    // No application lets more wait than that.
    while (begun < due && underWay.size < 2 * rate) {
      const one = change(begun++)
      underWay.add(one)
      void one.finally(() => underWay.delete(one))
    }
    await sleep(1)
  }
  await Promise.all(underWay)
  return begun
}
