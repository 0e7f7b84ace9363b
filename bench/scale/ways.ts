import { connectResp, type RespClient } from '../../test/support/resp.ts'
import type { RedisServer } from '../../test/support/redis-server.ts'
import { Fleet } from './fleet.ts'
import { spentOn } from './redis-thread.ts'

/** Keys that a process holds in memory, and processes that hold one key. */
const EACH = 100
const HOLDERS = 10
const KEY = 'ways:key:'
const CHANNEL = 'ways:all'
const STREAM = 'ways:stream'

/** One way to tell of changes, at the level of commands, without any library. */
interface Way {
  readonly name: string
  prepare(fleet: Fleet, redis: RespClient, keys: number): Promise<unknown>
  /** Makes so many changes. */
  change(redis: RespClient, count: number, keys: number, fleet: Fleet): Promise<unknown>
  /** Changes that are measured, for so many processes. */
  count(size: number): number
}

const toAll = (fleet: Fleet): Promise<unknown> => fleet.all({ do: 'subscribe', channels: [CHANNEL] })

/** Changes that travel `together` in one message to all. */
function broadcast(name: string, together: number): Way {
  return {
    name,
    prepare: toAll,
    async change(redis, count, keys) {
      for (let n = 0; n < count; n += together) {
        const changed = Array.from({ length: together }, (_, i) => `${KEY}${(n + i) % keys}`)
        for (const key of changed.slice(1)) void redis.command('SET', key, 'v')
        await redis.command('SET', changed[0] as string, 'v')
        await redis.command('PUBLISH', CHANNEL, changed.join(' '))
      }
    },
    count: (size) => together * Math.max(10, Math.min(200, Math.round(50_000 / size))),
  }
}

const ways: readonly Way[] = [
  broadcast('to all, one by one', 1),
  broadcast('to all, 2 by one message', 2),
  broadcast('to all, 100 by one message', 100),
  {
    name: 'to the 10 that hold the key: a channel a key',
    prepare: (fleet, _redis, of) => fleet.all({ do: 'subscribe', channels: [], held: { prefix: KEY, each: EACH, of } }),
    async change(redis, count, keys) {
      for (let n = 0; n < count; n++) {
        await redis.command('SET', `${KEY}${n % keys}`, 'v')
        await redis.command('PUBLISH', `${KEY}${n % keys}`, 'v')
      }
    },
    count: () => 500,
  },
  {
    name: 'to the 10 that hold the key: tracking, and reading it again',
    prepare: (fleet, _redis, of) => fleet.all({ do: 'track', held: { prefix: KEY, each: EACH, of } }),
    async change(redis, count, keys) {
      for (let n = 0; n < count; n++) await redis.command('SET', `${KEY}${n % keys}`, 'v')
    },
    count: () => 500,
  },
  {
    name: 'a stream that each reads once a second',
    prepare: () => Promise.resolve(),
    async change(redis, count, keys, fleet) {
      await redis.command('DEL', STREAM)
      for (let n = 0; n < count; n++) {
        void redis.command('SET', `${KEY}${n % keys}`, 'v')
        await redis.command('XADD', STREAM, '*', 'k', `${KEY}${n % keys}`)
      }
      await fleet.all({ do: 'send', words: ['XREAD', 'STREAMS', STREAM, '0'] })
    },
    count: (size) => (size > 2000 ? 200 : 1000),
  },
]

/** By way: ms of Redis's thread for one change, with so many processes. */
export async function measureWays(server: RedisServer, size: number): Promise<Map<string, number>> {
  const figures = new Map<string, number>()
  const keys = Math.max(1, (size * EACH) / HOLDERS)
  const redis = await connectResp(server)
  for (const { name, prepare, change, count } of ways) {
    const fleet = await Fleet.open(size, [server.port])
    try {
      await prepare(fleet, redis, keys)
      const changes = count(size)
      const { busy } = await spentOn([server], () => change(redis, changes, keys, fleet))
      figures.set(name, busy / changes)
    } finally {
      await fleet.close()
    }
    await redis.command('FLUSHALL')
  }
  redis.close()
  return figures
}
