import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startCacheProcesses, type CacheProcess } from '../support/cache-process.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { uniquePrefix } from '../support/shared-redis.ts'
import { startWallClock, type WallClock } from '../support/wall-clock.ts'
import { startWorkers, stopWorkers, type Worker } from '../support/workers.ts'

/** s ahead of the host's clock, one after the other: an hour forward, two hours back. */
const JUMPS = [3600, -3600]
/** The tests start processes, which take seconds each on a busy machine. */
const LONG = { timeout: 60_000 }

let redis: RedisServer
let clock: WallClock
const workers: Worker[] = []
beforeAll(async () => {
  redis = await startRedis()
  clock = await startWallClock()
}, 120_000)
beforeEach(() => clock.setAhead(0))
afterAll(async () => {
  await stopWorkers(workers)
  await clock.end()
  await redis.stop()
})

/** One that goes by the clock that jumps, and one that goes by the host's, without memory of its own. */
async function startPair(prefix: string): Promise<{ odd: CacheProcess; even: CacheProcess }> {
  const start = async (memory: boolean, env: NodeJS.ProcessEnv): Promise<CacheProcess> => {
    const options = memory ? {} : { memory: false as const }
    const [started] = (await startCacheProcesses({ redis, prefix }, 1, { options, env })) as [CacheProcess]
    workers.push(started)
    return started
  }
  return { odd: await start(true, clock.env), even: await start(false, {}) }
}

/** How far it is ahead of the host's clock, in whole hours. */
async function hoursAhead(of: CacheProcess): Promise<number> {
  return Math.round((Number((await of.call('wallNow', '')).value) - Date.now()) / 3_600_000)
}

const isStored = (prefix: string, key: string) =>
  eventually('it is stored', async () => (await redis.command('EXISTS', `${prefix}:{${key}}:lease`)) === 0)

test('a wall clock that jumps ends nothing that is fresh and keeps nothing that is not', LONG, async () => {
  const prefix = uniquePrefix('jump')
  const { odd, even } = await startPair(prefix)
  await odd.call('getOrRefill', 'lasting')
  await isStored(prefix, 'lasting')
  for (const seconds of JUMPS) {
    const mortal = `mortal ${seconds}`
    const { value } = await odd.call('getOrRefill', mortal, { options: { ttl: 1000 } })
    await isStored(prefix, mortal)
    await clock.setAhead(seconds)
    expect(await hoursAhead(odd)).toBe(seconds / 3600)
    for (const process of [odd, even]) {
      expect((await process.call('getOrRefill', 'lasting')).value).toBe('value of run 1')
      await eventually('the other expires', async () => (await process.call('get', mortal)).value !== value, {
        within: 2000,
      })
    }
  }
})

test('a process whose wall clock is an hour off agrees with the others on what is fresh', LONG, async () => {
  for (const seconds of JUMPS) {
    await clock.setAhead(seconds)
    const prefix = uniquePrefix('off')
    const { odd, even } = await startPair(prefix)
    expect(await hoursAhead(odd)).toBe(seconds / 3600)
    for (const [writer, reader, key] of [
      [odd, even, 'lasting 1'],
      [even, odd, 'lasting 2'],
    ] as const) {
      await writer.call('getOrRefill', key)
      await isStored(prefix, key)
      expect((await reader.call('getOrRefill', key)).value).toBe('value of run 1')

      const mortal = `mortal of ${key}`
      const { value } = await writer.call('getOrRefill', mortal, { options: { ttl: 1000 } })
      const isFresh = async (): Promise<boolean> => (await reader.call('get', mortal)).value === value
      await isStored(prefix, mortal)
      expect(await isFresh()).toBe(true)
      await eventually('it expires', async () => !(await isFresh()), { within: 2000 })
    }
  }
})

test('a wall clock that jumps costs nobody a lock, and gives it to nobody else', LONG, async () => {
  const [holder, waiter] = (await startWorkers('lock-holder', 2, [redis.url], clock.env)) as [Worker, Worker]
  workers.push(holder, waiter)
  const heard: string[] = []
  void holder.next('lost').then(
    () => heard.push('lost'),
    () => {}, // it was never told, as it should be
  )
  const acquired = waiter.next('acquired').then(() => heard.push('acquired'))
  holder.send({ type: 'acquire', key: 'jump', ttl: 400, autoExtend: true })
  await holder.next('acquired')
  waiter.send({ type: 'acquire', key: 'jump', ttl: 400 })
  await eventually('it waits', async () => (await redis.command('ZCARD', 'herdlock:queue:{jump}:jump')) === 1)
  for (const seconds of JUMPS) {
    await clock.setAhead(seconds)
    const msLeft = async (): Promise<number> => Number(await redis.command('PTTL', 'jump'))
    for (let extensions = 0; extensions < 3; extensions++) {
      let least = await msLeft()
      await eventually('it is extended', async () => {
        const left = await msLeft()
        if (left > least) return true
        least = left
        return false
      })
    }
    expect(heard).toEqual([])
  }
  holder.send({ type: 'release' })
  await holder.next('released')
  await acquired
})
