import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Contender } from './contender.ts'

/** The least that a hit in memory can be: the promise that was made when the value was stored. */
export const promisesInMap: Contender = {
  name: 'limit: Map of resolved promises',
  async open({ load }) {
    const promises = new Map<string, Promise<unknown>>()
    return {
      get(key) {
        const known = promises.get(key)
        if (known !== undefined) return known
        const loaded = load(key)
        promises.set(key, loaded)
        return loaded
      },
      close: async () => promises.clear(),
    }
  },
}

export const valuesInMap: Contender = {
  name: 'Map.get + await',
  async open({ load }) {
    const values = new Map<string, unknown>()
    return {
      get: (key) => values.get(key) ?? load(key).then((value) => (values.set(key, value), value)),
      peek: (key) => values.get(key),
      close: async () => values.clear(),
    }
  },
}

/** The least that a single read can be. */
export const plainGet: Contender = {
  name: 'ioredis GET + JSON.parse',
  async open({ url, load, ttl, bytes }) {
    const redis = new Redis(url as string)
    const fill = async (key: string): Promise<unknown> => {
      const value = await load(key)
      await redis.set(key, encode(value), 'PX', ttl)
      return value
    }
    return {
      get: bytes
        ? async (key) => (await redis.getBuffer(key)) ?? fill(key)
        : async (key) => parsed(await redis.get(key)) ?? fill(key),
      close: async () => redis.disconnect(),
    }
  },
}

/** The least that many reads at once can be: those of one tick in one MGET. */
export const batchedGet: Contender = {
  name: 'limit: one MGET a tick + JSON.parse',
  async open({ url, load, ttl, bytes }) {
    const redis = new Redis(url as string)
    let pending: { key: string; resolve: (value: unknown) => void; reject: (reason: unknown) => void }[] = []
    const flush = (): void => {
      const batch = pending
      pending = []
      const keys = batch.map(({ key }) => key)
      const replies: Promise<(string | Buffer | null)[]> = bytes ? redis.mgetBuffer(keys) : redis.mget(keys)
      replies.then(
        (found) => {
          for (const [index, { key, resolve }] of batch.entries()) {
            const one = found[index]
            if (one === null || one === undefined) resolve(fill(key))
            else resolve(typeof one === 'string' ? JSON.parse(one) : one)
          }
        },
        (error: unknown) => {
          for (const { reject } of batch) reject(error)
        },
      )
    }
    const fill = async (key: string): Promise<unknown> => {
      const value = await load(key)
      await redis.set(key, encode(value), 'PX', ttl)
      return value
    }
    return {
      get: (key) =>
        new Promise((resolve, reject) => {
          if (pending.push({ key, resolve, reject }) === 1) process.nextTick(flush)
        }),
      close: async () => redis.disconnect(),
    }
  },
}

const CLAIM = `local value = redis.call('get', KEYS[1])
if value then return value end
if redis.call('set', KEYS[2], ARGV[1], 'NX', 'PX', 30000) then return 1 end
redis.call('sadd', KEYS[3], ARGV[2])
return 0`
const RENEW = `if redis.call('set', KEYS[2], ARGV[1], 'NX', 'PX', 30000) then return 1 end
redis.call('sadd', KEYS[3], ARGV[2])
return 0`
const COMMIT = `redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('del', KEYS[2])
for _, inbox in ipairs(redis.call('smembers', KEYS[3])) do redis.call('publish', inbox, ARGV[3]) end
redis.call('del', KEYS[3])`

/** The least that a herd in many processes can be: one claim each, one commit, the value sent to who waits. */
export const claimAndPush: Contender = {
  name: 'limit: claim script, value pushed',
  async open({ url, load, ttl, stale }) {
    const redis = new Redis(url as string)
    const subscriber = new Redis(url as string)
    const inbox = randomUUID()
    const scripts = (await Promise.all(
      [CLAIM, RENEW, COMMIT].map((source) => redis.script('LOAD', source)),
    )) as string[]
    const [claim = '', renew = '', commit = ''] = scripts
    const entries = new Map<string, { promise: Promise<unknown>; freshUntil: number }>()
    const flights = new Map<string, Promise<unknown>>()
    const waiting = new Map<string, (value: unknown) => void>()
    subscriber.on('message', (_channel, message) => {
      const { key, value } = JSON.parse(message) as { key: string; value: unknown }
      waiting.get(key)?.(value)
      waiting.delete(key)
    })
    await subscriber.subscribe(inbox)

    const refill = async (key: string, script: string): Promise<unknown> => {
      const keys = [key, `${key}:lease`, `${key}:waiters`] as const
      const pushed = new Promise((resolve) => waiting.set(key, resolve))
      const reply = (await redis.evalsha(script, 3, ...keys, '1', inbox)) as string | number
      let value: unknown
      if (typeof reply === 'string') value = JSON.parse(reply)
      else if (reply === 0) value = await pushed
      else {
        value = await load(key)
        const text = JSON.stringify(value)
        redis
          .evalsha(commit, 3, ...keys, text, ttl + stale, `{"key":${JSON.stringify(key)},"value":${text}}`)
          .catch(fail)
      }
      entries.set(key, { promise: Promise.resolve(value), freshUntil: performance.now() + ttl })
      flights.delete(key)
      return value
    }
    const start = (key: string, script: string): Promise<unknown> => {
      const flight = refill(key, script)
      flights.set(key, flight)
      return flight
    }
    return {
      get(key) {
        const entry = entries.get(key)
        const now = performance.now()
        if (entry !== undefined && now < entry.freshUntil) return entry.promise
        const flight = flights.get(key)
        if (entry === undefined || now >= entry.freshUntil + stale) return flight ?? start(key, claim)
        if (flight === undefined) start(key, renew).catch(fail)
        return entry.promise
      },
      async close() {
        redis.disconnect()
        subscriber.disconnect()
      },
    }
  },
}

/** The least that waiting for one load can be. */
export const sharedPromise: Contender = {
  name: 'limit: one shared promise',
  async open({ load }) {
    const promises = new Map<string, Promise<unknown>>()
    return {
      get(key) {
        let shared = promises.get(key)
        if (shared === undefined) promises.set(key, (shared = load(key)))
        return shared
      },
      close: async () => promises.clear(),
    }
  },
}

function encode(value: unknown): string | Buffer {
  return Buffer.isBuffer(value) ? value : JSON.stringify(value)
}

function parsed(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text)
}

function fail(error: unknown): void {
  throw error
}
