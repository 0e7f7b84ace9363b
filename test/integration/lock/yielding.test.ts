import { Redis } from 'ioredis'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type Lock, Locker } from '../../../src/lock.ts'
import { eventually } from '../../support/eventually.ts'
import { startProxiedRedis } from '../../support/proxied-redis.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { connectResp, type RespClient } from '../../support/resp.ts'
import type { TcpProxy } from '../../support/tcp-proxy.ts'
import { startWorkers, stopWorkers, type Worker } from '../../support/workers.ts'

const KEY = 'yielded'
const QUEUE = `herdlock:queue:{${KEY}}:${KEY}`
const CHAIN = `herdlock:chain:{${KEY}}:${KEY}`
/** ms between two looks of those whose programs only poll, and for which a lock is left free for them. */
const POLL = 50
const FREE_FOR = 60
const RECHECK = 2400
const SLACK = 400
const RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"

let server: RedisServer
let proxy: TcpProxy

beforeEach(async () => {
  ;({ server, proxy } = await startProxiedRedis())
})

function newLocker(yieldAfter?: number, port = server.port): Locker {
  const client = new Redis(port)
  client.on('error', () => {})
  const locker = new Locker({ clients: client, yieldAfter, commandTimeout: 2000 })
  onTestFinished(async () => {
    await locker.close()
    client.disconnect()
  })
  return locker
}

async function newForeigner(): Promise<RespClient> {
  const foreigner = await connectResp(server)
  onTestFinished(() => foreigner.close())
  return foreigner
}

/** As the specification's own waiters do it. Resolves with the ms that it took; `undefined` when it gave up. */
async function pollFor(foreigner: RespClient, token: string, patience: number): Promise<number | undefined> {
  const startedAt = performance.now()
  while (performance.now() - startedAt < patience) {
    if ((await foreigner.command('SET', KEY, token, 'NX', 'PX', 5000)) === 'OK') return performance.now() - startedAt
    await new Promise((resolve) => setTimeout(resolve, POLL))
  }
  return undefined
}

const isQueued = (count: number) =>
  eventually(`${count} wait`, async () => Number(await server.command('ZCARD', QUEUE)) === count)
const isLeftFree = () =>
  eventually('it is left free', async () => String(await server.command('GET', CHAIN)) === 'free')

describe('while five processes hand a lock on among themselves', () => {
  async function crowd(yieldAfter: number): Promise<Worker[]> {
    const workers = await startWorkers('lock-queue', 5, [server.url, KEY, String(yieldAfter)])
    onTestFinished(() => stopWorkers(workers))
    await eventually('they queue', async () => Number(await server.command('ZCARD', QUEUE)) >= 5)
    return workers
  }
  async function roundsOf(workers: Worker[]): Promise<number[]> {
    for (const worker of workers) worker.send({ type: 'stop' })
    return Promise.all(workers.map(async (worker) => Number((await worker.next('stopped'))['rounds'])))
  }

  it('each of those who poll for it gets it in bounded time, and the queue goes on', async () => {
    const YIELD_AFTER = 500
    const workers = await crowd(YIELD_AFTER)
    const turns = Array.from({ length: 3 }, async (_, index) => {
      const foreigner = await newForeigner()
      const took = await pollFor(foreigner, `foreign ${index}`, 15_000)
      await foreigner.command('EVAL', RELEASE, 1, KEY, `foreign ${index}`)
      return took ?? Infinity
    })
    // Each time the lock is left free one of them has it.
    expect(Math.max(...(await Promise.all(turns)))).toBeLessThan(3 * (YIELD_AFTER + 2 * POLL + FREE_FOR) + 2 * SLACK)
    for (const rounds of await roundsOf(workers)) expect(rounds).toBeGreaterThan(5)
    expect(await server.command('EXISTS', KEY, QUEUE)).toBe(0)
  })

  it('nobody else need get it where yieldAfter is Infinity', async () => {
    const workers = await crowd(Infinity)
    expect(await pollFor(await newForeigner(), 'foreign', 1500)).toBe(undefined)
    expect(await server.command('EXISTS', CHAIN)).toBe(0)
    await roundsOf(workers)
  })
})

describe('a lock that is left free', () => {
  /** A queue of lockers, whose second hand-over is due to be left out. Resolves with who gets the lock when. */
  async function queueOf(lockers: Locker[]) {
    const held = await newLocker(1).acquire(KEY, 60_000)
    const served: { index: number; at: number; lock: Lock }[] = []
    for (const [index, locker] of lockers.entries()) {
      await isQueued(index)
      void locker.acquire(KEY, 60_000).then((lock) => served.push({ index, at: performance.now(), lock }))
    }
    await isQueued(lockers.length)
    await held.release() // the chain begins
    const isServed = (count: number) => eventually(`${count} were served`, () => served.length === count)
    await isServed(1)
    await new Promise((resolve) => setTimeout(resolve, 5)) // longer than yieldAfter
    return { served, isServed }
  }

  it('goes to the queue after that, in its order, and nobody polls meanwhile', async () => {
    const { served, isServed } = await queueOf([1, 2, 3, 4, 5, 6].map(() => newLocker(1, proxy.port)))
    const late = newLocker(1)
    const sent = (): number => proxy.commands().filter(([name]) => /^eval/i.test(name ?? '')).length
    const before = sent()
    await served[0]?.lock.release()
    const releasedAt = performance.now()
    await isLeftFree()
    await late.acquire('another', 1000) // its connection is open
    const last = late.acquire(KEY, 60_000, { fencing: true }) // a script, which joins the queue
    await isServed(2)
    const { at } = served[1] as (typeof served)[number]
    expect(at - releasedAt).toBeGreaterThan(FREE_FOR - 5)
    expect(at - releasedAt).toBeLessThan(FREE_FOR + SLACK)
    // The release, and the look of the first in the queue; on a slow machine a few that were due anyway. Five wait.
    expect(sent() - before).toBeLessThanOrEqual(5)
    for (let i = 1; i < 6; i++) {
      await isServed(i + 1)
      await served[i]?.lock.release()
    }
    await (await last).release()
    expect(served.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('can be had by those who poll, and by none of ours that has just been in the queue', async () => {
    const lockers = [1, 2].map(() => newLocker(1))
    const { served } = await queueOf(lockers)
    await served[0]?.lock.release()
    await isLeftFree()
    const again = lockers[0]?.acquire(KEY, 60_000)
    const foreigner = await newForeigner()
    expect(await foreigner.command('SET', KEY, 'foreign', 'NX', 'PX', 60_000)).toBe('OK')
    await foreigner.command('EVAL', RELEASE, 1, KEY, 'foreign')
    await eventually('the second is served', () => served.length === 2)
    await served[1]?.lock.release()
    await (await again)?.release()
  })

  it('goes on though the first in the queue is frozen, or leaves', async () => {
    const [frozen] = await startWorkers('lock-holder', 1, [server.url])
    onTestFinished(() => stopWorkers([frozen as Worker]))
    const controller = new AbortController()
    const { served, isServed } = await queueOf([newLocker(1)])
    frozen?.send({ type: 'acquire', key: KEY, ttl: 60_000 })
    await isQueued(1)
    const leaver = newLocker(1).acquire(KEY, 60_000, { signal: controller.signal })
    const left = expect(leaver).rejects.toThrow(/abort/)
    await isQueued(2)
    const waiter = newLocker(1).acquire(KEY, 60_000)
    await isQueued(3)
    frozen?.pause()
    await isServed(1)
    await served[0]?.lock.release()
    const releasedAt = performance.now()
    await isLeftFree()
    controller.abort()
    await left
    await (await waiter).release()
    expect(performance.now() - releasedAt).toBeLessThan(RECHECK + RECHECK + SLACK)
    frozen?.resume()
    await frozen?.next('acquired')
  })

  it('is looked for by the next when the first in the queue gives up', async () => {
    const controller = new AbortController()
    const { served } = await queueOf([newLocker(1)])
    const leaver = newLocker(1).acquire(KEY, 60_000, { signal: controller.signal })
    const left = expect(leaver).rejects.toThrow(/abort/)
    await isQueued(1)
    const waiter = newLocker(1).acquire(KEY, 60_000)
    await isQueued(2)
    await served[0]?.lock.release()
    const releasedAt = performance.now()
    await isLeftFree()
    controller.abort()
    await left
    await (await waiter).release()
    expect(performance.now() - releasedAt).toBeLessThan(2 * FREE_FOR + SLACK)
  })
})

it('a chain of hand-overs is remembered however long each holds the lock', async () => {
  const lockers = [1, 2, 3].map(() => newLocker(6000))
  const held = await lockers[0]?.acquire(KEY, 60_000)
  const waiter = lockers[1]?.acquire(KEY, 60_000)
  await isQueued(1)
  await held?.release()
  const next = await waiter
  const last = lockers[2]?.acquire(KEY, 60_000)
  await isQueued(1)
  await new Promise((resolve) => setTimeout(resolve, 6500)) // longer than it is kept when nobody waits
  await next?.release()
  await isLeftFree()
  await (await last)?.release()
})

it('a chain of hand-overs that was broken begins anew', async () => {
  const [first, second] = [newLocker(60_000), newLocker(60_000)]
  const held = await first.acquire(KEY, 60_000)
  const waiter = second.acquire(KEY, 60_000)
  await isQueued(1)
  await held.release()
  const next = await waiter
  expect(await server.command('EXISTS', CHAIN)).toBe(1)
  await next.release()
  expect(await server.command('EXISTS', CHAIN)).toBe(0)
})
