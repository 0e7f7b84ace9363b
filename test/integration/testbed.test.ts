import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { singleFlight } from '../../src/index.ts'
import { createTestbed, type Testbed } from '../../src/testing.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

/** Over a client of its own, and what is left in Redis afterwards: nothing. */
function testbed(): Testbed {
  const redis = new Redis(sharedRedis().url)
  const prefix = uniquePrefix('testbed')
  const made = createTestbed({ redis, prefix })
  onTestFinished(async () => {
    await made.close()
    expect(await redis.keys(`*${prefix}*`)).toEqual([])
    redis.disconnect()
  })
  return made
}

describe('a testbed over a Redis', () => {
  it('lets one process load for all', async () => {
    const bed = testbed()
    const caches = [1, 2, 3].map(() => bed.process().createCache({ ttl: 60_000 }))
    const load = async (): Promise<string> => {
      await bed.delay(10_000)
      return 'value'
    }
    const answers = caches.flatMap((cache) => [1, 2, 3, 4].map(() => cache.getOrRefill('key', load)))
    await bed.advance(10_000)
    await bed.settle()
    expect(await Promise.all(answers)).toEqual(answers.map(() => 'value'))
    bed.assertOneLoad('key')
    bed.assertLongestWait(12_000)
    await bed.assertNothingLeft()
  })

  it('has values and leases in Redis grow older with its time', async () => {
    const bed = testbed()
    const cache = bed.createCache({ ttl: 3_600_000, memory: false })
    await cache.set('key', 1)
    await bed.advance(3_500_000)
    expect(await cache.get('key')).toBe(1)
    await bed.advance(100_000)
    expect(await cache.get('key')).toBe(undefined)
  })

  it('has another process load when the leader dies', async () => {
    const bed = testbed()
    const [leader, other] = [bed.process(), bed.process()]
    const load = (name: string) => async () => {
      await bed.delay(5000)
      return name
    }
    const lost = leader.createCache({ ttl: 60_000, lockTtl: 3000 }).getOrRefill('key', load('leader'))
    let isSettled = false
    void lost.finally(() => (isSettled = true))
    await bed.advance(1000)
    const answer = other.createCache({ ttl: 60_000, lockTtl: 3000 }).getOrRefill('key', load('other'))
    await bed.advance(500)
    leader.die()
    await bed.advance(3500)
    expect(bed.loads('key')).toHaveLength(2)
    await bed.advance(5000)
    expect(await answer).toBe('other')
    expect(isSettled).toBe(false)
    await bed.assertNothingLeft()
  })

  it('tells a leader that its lease is lost', async () => {
    const bed = testbed()
    const cache = bed.createCache({ ttl: 60_000, lockTtl: 3000 })
    const told: string[] = []
    cache.on('lease-lost', ({ key }) => told.push(key))
    const users = cache.namespace('users')
    const answer = users.getOrRefill('42', async () => {
      await bed.delay(5000)
      return 1
    })
    await bed.advance(500)
    await expect(bed.loseLease('42')).rejects.toThrow("loseLease must name a key that somebody holds, received '42'")
    await bed.loseLease('users/42')
    await bed.advance(4500)
    expect(await answer).toBe(1)
    expect(told).toEqual(['users/42'])
  })

  it('lets waiters find out by themselves what a lost message would have told', async () => {
    const bed = testbed()
    const [leader, waiter] = [bed.process(), bed.process()]
    const a = leader.createCache({ ttl: 60_000, lockTtl: 3000 })
    const b = waiter.createCache({ ttl: 60_000, lockTtl: 3000 })
    const load = async (): Promise<number> => {
      await bed.delay(1000)
      return 1
    }
    const first = a.getOrRefill('key', load)
    await bed.settle()
    const second = b.getOrRefill('key', load)
    await bed.settle()
    waiter.loseMessages(1)
    await bed.advance(1000)
    expect(await first).toBe(1)
    expect(bed.calls('key').filter(({ answeredAt }) => answeredAt === undefined)).toHaveLength(1)
    await bed.advance(4000)
    expect(await second).toBe(1)
    bed.assertOneLoad('key')
  })

  it('lets callers load for themselves while Redis is away, and share again afterwards', async () => {
    const bed = testbed()
    const caches = [bed.process(), bed.process()].map((each) => each.createCache({ ttl: 1000 }))
    const load = (): number => bed.loads('key').length
    await Promise.all(caches.map((cache) => cache.getOrRefill('key', load)))
    bed.assertOneLoad('key')
    bed.redisAway(5000)
    await bed.advance(2000)
    bed.forget()
    await Promise.all(caches.map((cache) => cache.getOrRefill('key', load)))
    expect(bed.loads('key')).toHaveLength(2)
    bed.assertLongestWait(50)
    await bed.advance(10_000)
    bed.forget()
    await Promise.all(caches.map((cache) => cache.getOrRefill('key', load)))
    bed.assertOneLoad('key')
    await bed.assertNothingLeft()
  })

  it('hands a lock on, tells of one that is lost, and sees one that is not released', async () => {
    const bed = testbed()
    const [a, b] = [bed.process().createLocker(), bed.process().createLocker()]
    const key = uniquePrefix('testbed-lock')
    const held = await a.acquire(key, 5000, { autoExtend: true })
    const next = b.acquire(key, 5000)
    await bed.advance(20_000)
    expect(held.signal.aborted).toBe(false)
    await expect(bed.assertNothingLeft()).rejects.toThrow(`${key} is in Redis`)
    await held.release()
    const second = await next
    void second.signal
    await bed.loseLock(key)
    await expect(second.extend(5000)).rejects.toThrow()
    await bed.advance(5000)
    await bed.assertNothingLeft()
  })

  it('notices a lease that nobody will give back, until it lapses', async () => {
    const bed = testbed()
    const leader = bed.process()
    void leader.createCache({ ttl: 1000, lockTtl: 3000 }).getOrRefill('key', () => bed.delay(60_000))
    await bed.settle()
    leader.die()
    await expect(bed.assertNothingLeft()).rejects.toThrow(':lease is in Redis')
    await bed.advance(3000)
    await bed.assertNothingLeft()
  })

  it('works with node-redis, too', async () => {
    const redis = createClient({ url: sharedRedis().url })
    await redis.connect()
    onTestFinished(() => redis.destroy())
    const bed = createTestbed({ redis })
    const caches = [bed.process(), bed.process()].map((each) => each.createCache({ ttl: 60_000, memory: false }))
    const load = async (): Promise<string> => {
      await bed.delay(1000)
      return 'value'
    }
    const answers = caches.map((cache) => cache.getOrRefill('key', load))
    await bed.advance(1500)
    expect(await Promise.all(answers)).toEqual(['value', 'value'])
    bed.assertOneLoad('key')
    await bed.advance(60_000)
    expect(await caches[0]?.get('key')).toBe(undefined)
    await bed.close()
  })
})

it('a middleware over a cache of a testbed goes by its time', async () => {
  const bed = createTestbed()
  const flight = singleFlight({ cache: bed.createCache({ ttl: 60_000 }) })
  let runs = 0
  const server = createServer((request, response) =>
    flight(request, response, () => {
      runs++
      response.setHeader('Cache-Control', 'max-age=60')
      response.end(`run ${runs}`)
    }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const ask = async (): Promise<[string, string | null]> => {
    const response = await fetch(url)
    return [await response.text(), response.headers.get('age')]
  }
  expect(await ask()).toEqual(['run 1', null])
  await bed.advance(59_000)
  expect(await ask()).toEqual(['run 1', '59'])
  await bed.advance(1000)
  expect((await ask())[0]).toBe('run 2')
  await flight.close()
  await bed.close()
})
