import { setTimeout as delay } from 'node:timers/promises'
import { createCache, type Cache } from 'herdlock'
import { Redis } from 'ioredis'

/** What a process is told to do. */
export type Order =
  | { do: 'open'; url: string; prefix: string }
  | { do: 'read'; key: string; readers: number; tokens: number; perSecond: number; shared: boolean; at: number }

/** What has come of it. */
export interface ReadBack {
  /** How often its producer was run. */
  readonly producers: number
  /** ms from when a token was made until a reader had it; of every 10th token and all readers. */
  readonly delays: readonly number[]
  /** Readers that have had every token once, in order. */
  readonly whole: number
  /** ms of processor time. */
  readonly processor: number
}

const SAMPLED = 10
let cache: Cache
/** Shares within this process only. */
const alone = createCache({ ttl: 60_000 })
let redis: Redis

const now = (): number => Number(process.hrtime.bigint()) / 1e6

process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function obey(order: Order): Promise<ReadBack | undefined> {
  if (order.do === 'read') return read(order)
  redis = new Redis(order.url)
  cache = createCache({ ttl: 60_000, redis, prefix: order.prefix })
  await cache.getOrRefill(`warm-up ${process.pid}`, () => 'warm')
  while (cache.stats().redis[0]?.messages !== 'connected') await delay(5)
  return undefined
}

async function read(order: Order & { do: 'read' }): Promise<ReadBack> {
  const { key, readers, tokens, perSecond, shared, at } = order
  let producers = 0
  const delays: number[] = []
  /** A model: so many tokens a second, each with its number and the instant at which it was made. */
  async function* produce(): AsyncGenerator<string> {
    producers++
    const begin = now()
    for (let i = 0; i < tokens; i++) {
      await delay(Math.max(begin + (i * 1000) / perSecond - now(), 0))
      yield `${i} ${now()}`
    }
  }
  async function readOne(): Promise<boolean> {
    let next = 0
    for await (const token of (shared ? cache : alone).stream(key, produce)) {
      const [index, madeAt] = token.split(' ').map(Number) as [number, number]
      if (index !== next++) return false
      if (index % SAMPLED === SAMPLED - 1) delays.push(now() - madeAt)
    }
    return next === tokens
  }
  await delay(Math.max(at - now(), 0))
  const used = process.cpuUsage()
  const results = await Promise.all(Array.from({ length: readers }, readOne))
  const { user, system } = process.cpuUsage(used)
  return { producers, delays, whole: results.filter(Boolean).length, processor: (user + system) / 1000 }
}
