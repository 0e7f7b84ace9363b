import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { ClosedError } from '../../src/errors.ts'
import { Locker, LockNotAcquiredError } from '../../src/lock.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { addressOf, connectResp, type RespClient } from '../support/resp.ts'

const lab = cacheLab()
const lease = (): string => `${lab.prefix}:{key}:lease`

/** One who waits for the lease as a `Locker` does, as Redis sees it: a token in the queue, and a subscriber. */
async function standInLine(): Promise<{ token: string; client: RespClient }> {
  const client = await connectResp(addressOf(lab.redis.url))
  lab.atEnd(async () => client.close())
  await client.command('SUBSCRIBE', 'herdlock:inbox:somebody')
  const token = 'herdlock:somebody:1'
  await lab.redis.command('ZADD', `herdlock:queue:{key}:${lease()}`, '1', token)
  return { token, client }
}

describe('the lease of a refill is a lock', () => {
  test('that a Locker sees, waits for, and gets when the refill has ended', async () => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    const load = gatedLoad<string>()
    const led = cache.getOrRefill('key', load.loader)
    await load.started
    const locker = new Locker({ clients: lab.client() })
    lab.atEnd(() => locker.close())
    await expect(locker.tryAcquire(lease(), 1000)).rejects.toThrow(LockNotAcquiredError)
    const waited = locker.acquire(lease(), 1000)
    await eventually(
      'it waits',
      async () => (await lab.redis.command('EXISTS', `herdlock:queue:{key}:${lease()}`)) === 1,
    )
    load.gate.resolve('value')
    expect(await led).toBe('value')
    await (await waited).release()
  })

  test.each<[string, (cache: Cache, load: { gate: { resolve(v: string): void; reject(e: Error): void } }) => unknown]>([
    ['is stored', (_cache, load) => load.gate.resolve('value')],
    ['fails', (_cache, load) => load.gate.reject(new Error('it fails'))],
    ['is overtaken by invalidate', (cache) => cache.invalidate('key')],
    ['is overtaken by set', (cache) => cache.set('key', 'newer')],
  ])('is handed to the first in line in the same step in which the refill %s', async (_what, end) => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    const load = gatedLoad<string>()
    const led = cache.getOrRefill('key', load.loader).catch(() => {})
    await load.started
    const { token, client } = await standInLine()
    await end(cache, load)
    const [, , message] = (await client.next()) as [unknown, unknown, Buffer | string]
    expect(String(message)).toMatch(new RegExp(`^\\d+:${token}\\d+$`))
    expect(await lab.redis.command('GET', lease())).toBe(token)
    load.gate.resolve('late')
    await led
    await settled(cache)
  })
})

describe('a lease that comes when nobody wants the value any more', () => {
  const unwanted = async (): Promise<never> => {
    throw new Error('nobody wants it')
  }

  test('is given back: its caller has left', async () => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    const caller = new AbortController()
    const asked = cache.getOrRefill('key', unwanted, { signal: caller.signal })
    caller.abort(new Error('the caller has left'))
    await expect(asked).rejects.toThrow('the caller has left')
    await settled(cache)
    expect(await lab.redis.command('EXISTS', lease())).toBe(0)
  })

  test('is given back: the cache is being closed', async () => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    const asked = cache.getOrRefill('key', unwanted)
    const closed = cache.close()
    await expect(asked).rejects.toThrow(ClosedError)
    await closed
    expect(await lab.redis.command('EXISTS', lease())).toBe(0)
  })
})
