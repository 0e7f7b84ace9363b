import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Contender } from './contender.ts'

const COMPARE_AND_DELETE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`
const ENTER = `if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[3]) then return 1 end
redis.call('rpush', KEYS[2], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3]) return 0`
const LEAVE = `if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
local head = redis.call('lpop', KEYS[2])
if not head then return redis.call('del', KEYS[1]) end
local token, inbox, ttl = string.match(head, '^(%S+) (%S+) (%S+)$')
redis.call('set', KEYS[1], token, 'PX', ttl)
redis.call('publish', inbox, token)
return 1`

/** The least that a pair can be: `SET NX PX` and a compare-and-delete. Nobody can wait for it. */
export const pairLimit: Contender = {
  name: 'limit: SET NX + EVALSHA',
  async connect(url) {
    const redis = new Redis(url)
    const sha = (await redis.script('LOAD', COMPARE_AND_DELETE)) as string
    return {
      async acquire(key, ttl) {
        const token = randomUUID()
        if ((await redis.set(key, token, 'PX', ttl, 'NX')) !== 'OK') throw new Error(`${key} is busy`)
        return async () => void (await redis.evalsha(sha, 1, key, token))
      },
      close: async () => redis.disconnect(),
    }
  },
}

/** The least that a hand-off can be: the release passes the lock on and wakes that one waiter. Lost with any message or process. */
export const handOffLimit: Contender = {
  name: 'limit: queue in Redis, not crash-safe',
  async connect(url) {
    const redis = new Redis(url)
    const subscriber = new Redis(url)
    const inbox = randomUUID()
    const waiters = new Map<string, () => void>()
    subscriber.on('message', (_channel, token) => waiters.get(token)?.())
    await subscriber.subscribe(inbox)
    const enter = (await redis.script('LOAD', ENTER)) as string
    const leave = (await redis.script('LOAD', LEAVE)) as string
    return {
      async acquire(key, ttl) {
        const token = randomUUID()
        const woken = new Promise<void>((resolve) => waiters.set(token, resolve))
        if ((await redis.evalsha(enter, 2, key, `${key}:queue`, token, inbox, ttl)) !== 1) await woken
        waiters.delete(token)
        return async () => void (await redis.evalsha(leave, 2, key, `${key}:queue`, token))
      },
      close: async () => {
        redis.disconnect()
        subscriber.disconnect()
      },
    }
  },
}
