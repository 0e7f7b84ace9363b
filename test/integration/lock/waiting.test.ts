import { once } from 'node:events'
import { Redis } from 'ioredis'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type Lock, Locker } from '../../../src/lock.ts'
import { eventually } from '../../support/eventually.ts'
import { startProxiedRedis } from '../../support/proxied-redis.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { connectResp } from '../../support/resp.ts'
import type { TcpProxy } from '../../support/tcp-proxy.ts'
import { startWorkers, stopWorkers, type Worker } from '../../support/workers.ts'

const KEY = 'waiting'
const QUEUE = `herdlock:queue:{${KEY}}:${KEY}`
/** ms for which a waiter that was called is waited for, and the longest pause between two looks. */
const GRANT = 1000
const RECHECK = 2400
/** What a busy machine adds. */
const SLACK = 400

let server: RedisServer
let proxy: TcpProxy

beforeEach(async () => {
  ;({ server, proxy } = await startProxiedRedis())
})

function newLocker(port = server.port): Locker {
  const client = new Redis(port, { retryStrategy: () => 10 })
  client.on('error', () => {})
  const locker = new Locker({ clients: client, commandTimeout: 2000 })
  onTestFinished(async () => {
    await locker.close()
    client.disconnect()
  })
  return locker
}

async function newWorkers(count: number): Promise<Worker[]> {
  const workers = await startWorkers('lock-holder', count, [server.url])
  onTestFinished(() => stopWorkers(workers))
  return workers
}

const queued = async (): Promise<number> => Number(await server.command('ZCARD', QUEUE))
const isQueued = (count: number) => eventually(`${count} wait`, async () => (await queued()) === count)

/** A first wait opens the inbox; from then on a waiter is in the queue from its first look on. */
async function openInbox(locker: Locker): Promise<void> {
  const held = await locker.acquire('opening', 60_000)
  const waiter = locker.acquire('opening', 60_000)
  await eventually(
    'it waits',
    async () => Number(await server.command('ZCARD', 'herdlock:queue:{opening}:opening')) === 1,
  )
  await held.release()
  await (await waiter).release()
}

async function msUntil(lock: Promise<Lock>): Promise<number> {
  const startedAt = performance.now()
  const { release } = await lock.then((held) => ({ release: () => held.release() }))
  const took = performance.now() - startedAt
  await release()
  return took
}

describe('a waiter', () => {
  it('gets the lock at the end of its ttl when the holder was killed', async () => {
    const [holder] = await newWorkers(1)
    holder?.send({ type: 'acquire', key: KEY, ttl: 1000 })
    await holder?.next('acquired')
    const waiter = newLocker().acquire(KEY, 5000)
    await isQueued(1)
    await holder?.kill()
    expect(await msUntil(waiter)).toBeLessThan(1000 + SLACK)
  })

  it('is not delayed by one before it whose process was killed', async () => {
    const [dead] = await newWorkers(1)
    const held = await newLocker().acquire(KEY, 60_000)
    dead?.send({ type: 'acquire', key: KEY, ttl: 60_000 })
    await isQueued(1)
    const waiter = newLocker().acquire(KEY, 60_000)
    await isQueued(2)
    await dead?.kill()
    await eventually(
      'Redis knows',
      async () => Number(((await server.command('PUBSUB', 'CHANNELS', 'herdlock:inbox:*')) as unknown[]).length) === 1,
    )
    await held.release()
    expect(await msUntil(waiter)).toBeLessThan(SLACK)
  })

  it('is delayed by one before it whose process is frozen by no more than the bound', async () => {
    const [frozen] = await newWorkers(1)
    const held = await newLocker().acquire(KEY, 60_000)
    frozen?.send({ type: 'acquire', key: KEY, ttl: 60_000 })
    await isQueued(1)
    const waiter = newLocker().acquire(KEY, 60_000)
    await isQueued(2)
    frozen?.pause()
    await held.release()
    const took = await msUntil(waiter)
    expect(took).toBeGreaterThan(GRANT / 2)
    expect(took).toBeLessThan(GRANT + RECHECK + SLACK)
    frozen?.resume()
    await frozen?.next('acquired') // by an honest second attempt
  })

  it('is not delayed by one before it that gave up', async () => {
    const held = await newLocker().acquire(KEY, 60_000)
    const controller = new AbortController()
    const impatient = newLocker().acquire(KEY, 60_000, { signal: controller.signal })
    await isQueued(1)
    const waiter = newLocker().acquire(KEY, 60_000)
    await isQueued(2)
    controller.abort()
    await expect(impatient).rejects.toThrow(/abort/)
    await held.release()
    expect(await msUntil(waiter)).toBeLessThan(SLACK)
  })

  it('notices in time when it misses its call because its subscriber is killed', async () => {
    const held = await newLocker().acquire(KEY, 60_000)
    const waiter = newLocker().acquire(KEY, 60_000)
    await isQueued(1)
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await held.release()
    expect(await msUntil(waiter)).toBeLessThan(RECHECK + SLACK)
  })

  it('notices in time when its subscriber is half-open', async () => {
    const locker = newLocker(proxy.port)
    const held = await newLocker().acquire(KEY, 60_000)
    const waiter = locker.acquire(KEY, 60_000)
    await isQueued(1)
    const subscriber = proxy
      .connections()
      .find(({ commands }) => commands.some(([name]) => /^subscribe$/i.test(name ?? '')))
    subscriber?.pause()
    await held.release()
    // Called in vain: the grant runs out, and the next look finds a free lock.
    expect(await msUntil(waiter)).toBeLessThan(GRANT + RECHECK + SLACK)
  })
})

it('waiters whose queue was lost find each other again, and all get the lock', async () => {
  const lockers = [newLocker(), newLocker()]
  for (const locker of lockers) await openInbox(locker)
  await newLocker().acquire(KEY, 60_000)
  let holders = 0
  const waiters = Array.from({ length: 10 }, async (_, index) => {
    const lock = await lockers[index % 2]?.acquire(KEY, 60_000)
    expect(++holders).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    holders--
    await lock?.release()
  })
  await isQueued(10)
  const startedAt = performance.now()
  await server.command('FLUSHALL')
  await Promise.all(waiters)
  expect(performance.now() - startedAt).toBeLessThan(RECHECK + SLACK)
})

it('abandoned waits leave nothing in Redis', async () => {
  const held = await newLocker().acquire(KEY, 60_000)
  const locker = newLocker()
  await openInbox(locker)
  const controller = new AbortController()
  const waiters = Array.from({ length: 50 }, () => locker.acquire(KEY, 60_000, { signal: controller.signal }))
  const outcomes = Promise.allSettled(waiters)
  await isQueued(50)
  controller.abort()
  expect((await outcomes).every(({ status }) => status === 'rejected')).toBe(true)
  await eventually('they have left', async () => (await queued()) === 0, { within: 1000 })
  await held.release()
  expect(await server.command('KEYS', '*')).toEqual([])
})

it('a queue whose waiters all died is forgotten', async () => {
  const [dead] = await newWorkers(1)
  await newLocker().acquire(KEY, 60_000)
  dead?.send({ type: 'acquire', key: KEY, ttl: 60_000 })
  await isQueued(1)
  await dead?.kill()
  const remaining = Number(await server.command('PTTL', QUEUE))
  expect(remaining).toBeGreaterThan(RECHECK)
  expect(remaining).toBeLessThanOrEqual(15_000)
})

it.each([1, 100])('%i waiters of one process cost Redis as many commands a second as one', async (count) => {
  const held = await newLocker().acquire(KEY, 60_000)
  const locker = newLocker(proxy.port)
  await openInbox(locker)
  const waiters = Array.from({ length: count }, async () => (await locker.acquire(KEY, 60_000)).release())
  await isQueued(count)
  const before = proxy.commands().length
  await new Promise((resolve) => setTimeout(resolve, 3000)) // what passes while nothing happens
  // One look in RECHECK ms, and one message a second that tests the subscriber.
  expect(proxy.commands().length - before).toBeLessThanOrEqual(2 + 3)
  await held.release()
  await Promise.all(waiters)
})

it('a waiter that is called pays one command, the one who calls it another', async () => {
  const held = await newLocker(proxy.port).acquire(KEY, 60_000)
  const lockers = [newLocker(proxy.port), newLocker(proxy.port)]
  for (const locker of lockers) await openInbox(locker)
  const locks = lockers.map((locker) => locker.acquire(KEY, 60_000))
  await isQueued(2)
  const sent = (): number => proxy.commands().filter(([name]) => /^(eval|evalsha|set|get)$/i.test(name ?? '')).length
  const before = sent()
  await held.release()
  const first = await Promise.race(locks)
  await eventually('it is confirmed', async () => ((await server.command('PTTL', KEY)) as number) > 50_000)
  expect(sent() - before).toBe(2)
  await first.release()
  for (const lock of locks) await lock.then((other) => (other === first ? undefined : other.release()))
})

describe('a process in another language', () => {
  const RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"

  it('excludes us, and we wait for it no longer than its own waiters do', async () => {
    const foreign = await connectResp(server)
    onTestFinished(() => foreign.close())
    expect(await foreign.command('SET', KEY, 'foreign', 'NX', 'PX', 60_000)).toBe('OK')
    await expect(newLocker().tryAcquire(KEY, 1000)).rejects.toThrow(/held elsewhere/)
    const waiters = [newLocker(), newLocker()].map((locker) => msUntil(locker.acquire(KEY, 5000)))
    await isQueued(2)
    expect(await foreign.command('EVAL', RELEASE, 1, KEY, 'foreign')).toBe(1)
    const releasedAt = performance.now()
    await Promise.all(waiters)
    expect(performance.now() - releasedAt).toBeLessThan(50 + SLACK)
    expect(await foreign.command('EXISTS', KEY)).toBe(0)
  })

  it('is excluded by us, and gets the lock when we release it', async () => {
    const foreign = await connectResp(server)
    onTestFinished(() => foreign.close())
    const lock = await newLocker().acquire(KEY, 60_000)
    expect(await foreign.command('SET', KEY, 'foreign', 'NX', 'PX', 60_000)).toBe(null)
    expect(await foreign.command('EVAL', RELEASE, 1, KEY, 'foreign')).toBe(0)
    await lock.release()
    expect(await foreign.command('SET', KEY, 'foreign', 'NX', 'PX', 60_000)).toBe('OK')
  })

  it('whose lock lapses lets the first of our waiters in', async () => {
    await server.command('SET', KEY, 'foreign', 'PX', '300')
    expect(await msUntil(newLocker().acquire(KEY, 5000))).toBeLessThan(300 + SLACK)
  })

  it('that never sets an expiry is waited for, too', async () => {
    await server.command('SET', KEY, 'foreign')
    const waiter = msUntil(newLocker().acquire(KEY, 5000))
    await isQueued(1)
    await server.command('DEL', KEY)
    await waiter
  })
})

describe('a lock that was handed over', () => {
  it.each([
    ['as it is', async () => {}],
    ['though Redis has forgotten the scripts', () => server.command('SCRIPT', 'FLUSH')],
  ])('lasts its ttl for a holder that blocks its event loop right after, %s', async (_, provoke) => {
    const [blocker] = await newWorkers(1)
    const held = await newLocker().acquire(KEY, 60_000)
    blocker?.send({ type: 'acquire', key: KEY, ttl: 30_000, blockFor: GRANT + 500 })
    await isQueued(1)
    const waiter = newLocker().acquire(KEY, 60_000)
    await isQueued(2)
    await provoke()
    await held.release()
    await eventually('it is confirmed', async () => ((await server.command('PTTL', KEY)) as number) > 20_000)
    const { token } = await (blocker as Worker).next('acquired')
    expect(String(await server.command('GET', KEY))).toBe(token)
    blocker?.send({ type: 'release' })
    await blocker?.next('released')
    await (await waiter).release()
  })

  it('is confirmed before it is had', async () => {
    const locker = newLocker(proxy.port)
    await openInbox(locker)
    const held = await newLocker().acquire(KEY, 60_000)
    const waiter = locker.acquire(KEY, 60_000)
    await isQueued(1)
    await held.release()
    const lock = await waiter
    // The last thing this process does before it blocks: a command from another comes after all that has left it.
    const remaining = await server.command('PTTL', KEY)
    expect(remaining).toBeGreaterThan(50_000)
    await lock.release()
  })
})

it('a waiter whose lock is lost before it is confirmed learns so by its signal', async () => {
  const held = await newLocker().acquire(KEY, 60_000)
  const locker = newLocker(proxy.port)
  await openInbox(locker)
  const waiter = locker.acquire(KEY, 60_000)
  await isQueued(1)
  // The hand-over arrives; the confirmation does not leave.
  const main = proxy
    .connections()
    .find(({ commands }) => commands.some(([name]) => /^(eval|evalsha)$/i.test(name ?? '')))
  main?.pause()
  await held.release()
  const lock = await waiter
  const startedAt = performance.now()
  await once(lock.signal, 'abort')
  expect(performance.now() - startedAt).toBeLessThanOrEqual(GRANT + SLACK)
  main?.resume()
})
