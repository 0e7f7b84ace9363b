import { randomUUID } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import type { RedisClient } from '../../src/lock.ts'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  ClosedError,
  type LockerOptions,
  Locker,
  LockLostError,
  LockNotAcquiredError,
  LockNotHeldError,
} from '../../src/lock.ts'
import { eventually } from '../support/eventually.ts'

type Client = Redis | Cluster

/** A client of one of the libraries that herdlock works with. */
export interface OwnClient {
  readonly client: RedisClient
  disconnect(): void
}

export type Connect = (index: number) => OwnClient | Promise<OwnClient>

export interface LockBackend {
  /** A client of the test's own for the instance of that number; each instance has keys of its own. */
  connect(index: number): Client
  /** The same for a locker, by library. */
  readonly libraries: Readonly<Record<string, Connect>>
  /** Keys that a library is known to send to the wrong node, for ever. */
  readonly misrouted?: Readonly<Record<string, readonly string[]>>
}

const KEYS_OF_ANY_BYTES = [
  ...['{}', '}{', '{a}b', 'a{b', 'a}b', '{{a}}', '{}{a}', '__proto__', 'a b\r\nc', 'a\0b', 'ключ🔑'],
  ...['herdlock:queue:{a}:a', 'herdlock:fence:{a}:a'],
  'x'.repeat(100_000),
]

/**
 * What every backend must keep, through each library, over one instance and over as many as are named for it; through the
 * first library over all numbers in between, too.
 */
export function lockContract(
  libraries: Readonly<Record<string, number>>,
  start: () => Promise<LockBackend & { stop(): Promise<void> }>,
): void {
  let backend: Awaited<ReturnType<typeof start>>
  beforeAll(async () => void (backend = await start()))
  afterAll(() => backend.stop())

  for (const [index, [library, most]] of Object.entries(libraries).entries()) {
    const all = Array.from({ length: most }, (_, less) => less + 1)
    for (const count of index === 0 ? all : new Set([1, most])) {
      describe(`${count} instances through ${library}`, () => {
        suite(() => backend, library, count)
      })
    }
  }
}

function suite(backend: () => LockBackend, library: string, count: number): void {
  let clients: Client[]
  const key = (): string => `contract:${randomUUID()}`
  const inRedis = (name: string): Promise<(string | null)[]> => Promise.all(clients.map((client) => client.get(name)))
  const nowhere = Array.from({ length: count }, () => null)

  function connect(): Client[] {
    return Array.from({ length: count }, (_, index) => backend().connect(index))
  }

  /** A locker as another process would have it: with connections of its own. */
  async function newLocker(options: Partial<LockerOptions> = {}): Promise<Locker> {
    const connectOwn = backend().libraries[library] as Connect
    const own = await Promise.all(Array.from({ length: count }, async (_, index) => connectOwn(index)))
    const locker = new Locker({ clients: own.map(({ client }) => client), ...options })
    onTestFinished(async () => {
      await locker.close()
      for (const each of own) each.disconnect()
    })
    return locker
  }

  beforeAll(() => void (clients = connect()))
  afterAll(() => clients.forEach((client) => client.disconnect()))

  it('holds the lock under the very key of the caller, with its ttl, on every instance', async () => {
    const name = key()
    const lock = await (await newLocker()).tryAcquire(name, 5000)
    expect(await inRedis(name)).toEqual(clients.map(() => lock.token))
    for (const client of clients) {
      const remaining = await client.pttl(name)
      expect(remaining).toBeGreaterThan(4000)
      expect(remaining).toBeLessThanOrEqual(5000)
    }
    expect(await lock.ttl()).toBeGreaterThan(4000)
    await lock.release()
    expect(await inRedis(name)).toEqual(nowhere)
    expect(await lock.ttl()).toBe(0)
  })

  it('refuses a lock that is held, and leaves it to its holder', async () => {
    const name = key()
    const lock = await (await newLocker()).tryAcquire(name, 5000)
    await expect((await newLocker()).tryAcquire(name, 5000)).rejects.toThrow(LockNotAcquiredError)
    await expect((await newLocker()).tryAcquire(name, 5000, { fencing: true })).rejects.toThrow(LockNotAcquiredError)
    expect(await inRedis(name)).toEqual(clients.map(() => lock.token))
  })

  it('releases what it took before an instance refused', async () => {
    const name = key()
    await clients.at(-1)?.set(name, 'foreign')
    await expect((await newLocker()).tryAcquire(name, 5000)).rejects.toThrow(LockNotAcquiredError)
    expect(await inRedis(name)).toEqual([...nowhere.slice(1), 'foreign'])
  })

  it('wakes waiters at release, one at a time, in the order in which they came', async () => {
    const name = key()
    const held = await (await newLocker()).acquire(name, 60_000)
    const order: number[] = []
    const waiters: Promise<void>[] = []
    for (const index of [0, 1, 2, 3]) {
      const locker = await newLocker()
      const turn = locker.acquire(name, 60_000).then(async (lock) => {
        expect(await inRedis(name)).toEqual(clients.map(() => lock.token))
        order.push(index)
        await lock.release()
      })
      waiters.push(turn)
      await eventually('it waits', async () => (await waiting(clients, name)) === index + 1)
    }
    await held.release()
    const releasedAt = performance.now()
    await Promise.all(waiters)
    expect(performance.now() - releasedAt).toBeLessThan(1000)
    expect(order).toEqual([0, 1, 2, 3])
    expect(await inRedis(name)).toEqual(nowhere)
  })

  it('gives the whole ttl to a waiter whose turn it is', async () => {
    const name = key()
    const held = await (await newLocker()).acquire(name, 60_000)
    const waiter = (await newLocker()).acquire(name, 50_000)
    await eventually('it waits', async () => (await waiting(clients, name)) === 1)
    await held.release()
    const lock = await waiter
    await eventually('it is confirmed', async () => (await lock.ttl()) > 40_000, { within: 500 })
    await lock.release()
  })

  it('takes over when the ttl of a holder that says nothing runs out', async () => {
    const name = key()
    const [holder, other] = [await newLocker(), await newLocker()]
    await holder.acquire(name, 300)
    const startedAt = performance.now()
    const lock = await other.acquire(name, 5000)
    expect(performance.now() - startedAt).toBeGreaterThan(200)
    expect(performance.now() - startedAt).toBeLessThan(300 + 250)
    await lock.release()
  })

  it("notices within the seed's 50 ms that a foreign holder has gone", async () => {
    const name = key()
    for (const client of clients) await client.set(name, 'foreign', 'PX', 60_000, 'NX')
    const waiter = (await newLocker()).acquire(name, 5000)
    await eventually('it waits', async () => (await waiting(clients, name)) === 1)
    for (const client of clients.toReversed()) await client.del(name)
    const deletedAt = performance.now()
    const lock = await waiter
    expect(performance.now() - deletedAt).toBeLessThan(50 * count + 100)
    await lock.release()
  })

  it('rejects an aborted acquisition with the reason of its signal and leaves nothing behind', async () => {
    const name = key()
    const reason = new Error('enough')
    const locker = await newLocker()
    for (const call of ['tryAcquire', 'acquire'] as const) {
      await expect(locker[call](name, 5000, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    }
    expect(await inRedis(name)).toEqual(nowhere)

    const held = await (await newLocker()).acquire(name, 60_000)
    const controller = new AbortController()
    const waiter = locker.acquire(name, 5000, { signal: controller.signal })
    const outcome = expect(waiter).rejects.toBe(reason)
    await eventually('it waits', async () => (await waiting(clients, name)) === 1)
    controller.abort(reason)
    await outcome
    await eventually('it has left the queue', async () => (await waiting(clients, name)) === 0)
    await held.release()
    expect(await inRedis(name)).toEqual(nowhere)
  })

  it('gives back a lock that arrives after the abort', async () => {
    const name = key()
    const controller = new AbortController()
    for (const call of ['tryAcquire', 'acquire'] as const) {
      const pending = (await newLocker())[call](name, 60_000, { signal: controller.signal })
      const outcome = expect(pending).rejects.toBe(controller.signal.reason ?? 'now')
      controller.abort('now')
      await outcome
    }
    await eventually('it is free', async () => (await inRedis(name)).every((token) => token === null))
  })

  it('says so when a lock to be released has expired, or was taken, or was released before', async () => {
    const name = key()
    const lock = await (await newLocker()).tryAcquire(name, 60_000)
    for (const client of clients) await client.set(name, 'another', 'PX', 60_000)
    await expect(lock.release()).rejects.toThrow(LockNotHeldError)
    expect(await inRedis(name)).toEqual(clients.map(() => 'another'))

    const other = key()
    const released = await (await newLocker()).tryAcquire(other, 60_000)
    await released.release()
    await expect(released.release()).rejects.toThrow(LockNotHeldError)
    await released[Symbol.asyncDispose]()
  })

  it('extends a lock that is held, and never one that is not', async () => {
    const name = key()
    const lock = await (await newLocker()).tryAcquire(name, 1000)
    await lock.extend(60_000)
    expect(await lock.ttl()).toBeGreaterThan(50_000)
    for (const client of clients) await client.del(name)
    await expect(lock.extend(60_000)).rejects.toThrow(LockNotHeldError)
    expect(await inRedis(name)).toEqual(nowhere)
    expect(lock.signal.reason).toBeInstanceOf(LockLostError)
  })

  it('extends by itself until the release', async () => {
    const name = key()
    const lock = await (await newLocker()).acquire(name, 300, { autoExtend: true })
    const startedAt = performance.now()
    await eventually('three ttls have gone by', async () => {
      expect(lock.signal.aborted).toBe(false)
      return performance.now() - startedAt > 900
    })
    expect(await inRedis(name)).toEqual(clients.map(() => lock.token))
    await lock.release()
    expect(lock.signal.aborted).toBe(false)
    expect(await inRedis(name)).toEqual(nowhere)
  })

  it('aborts the signal at the end of validity, not later than Redis ends the lock', async () => {
    const name = key()
    const locker = await newLocker()
    await locker.prepare()
    const startedAt = performance.now()
    const lock = await locker.tryAcquire(name, 200)
    await new Promise<void>((resolve) => lock.signal.addEventListener('abort', () => resolve()))
    expect(performance.now() - startedAt).toBeLessThan(200 + 100)
    expect(lock.signal.reason).toBeInstanceOf(LockLostError)
    await expect(lock.extend(1000)).rejects.toThrow(LockNotHeldError)
  })

  it('numbers the holders of a key in growing order, whatever becomes of the counter', async () => {
    const name = key()
    const numbers: number[] = []
    for (let round = 0; round < 6; round++) {
      const lock = await (await newLocker())[round % 2 ? 'acquire' : 'tryAcquire'](name, 5000, { fencing: true })
      numbers.push(lock.fencingToken as number)
      await lock.release()
      if (round === 3) for (const client of clients) await client.del(`herdlock:fence:{${name}}:${name}`)
    }
    expect(numbers.every(Number.isSafeInteger)).toBe(true)
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
    expect(await (await newLocker()).tryAcquire(name, 5000)).not.toHaveProperty('fencingToken')
  })

  it('numbers a waiter higher than the holder it waited for', async () => {
    const name = key()
    const held = await (await newLocker()).acquire(name, 60_000, { fencing: true })
    const waiter = (await newLocker()).acquire(name, 60_000, { fencing: true })
    await eventually('it waits', async () => (await waiting(clients, name)) === 1)
    await held.release()
    const lock = await waiter
    expect(lock.fencingToken).toBeGreaterThan(held.fencingToken as number)
    await lock.release()
  })

  it('runs a function under the lock, and releases it whatever that comes to', async () => {
    const name = key()
    const locker = await newLocker()
    expect(await locker.withLock(name, 5000, async (lock) => (await inRedis(name))[0] === lock.token)).toBe(true)
    expect(await inRedis(name)).toEqual(nowhere)
    const reason = new Error('no')
    await expect(locker.withLock(name, 5000, () => Promise.reject(reason))).rejects.toBe(reason)
    expect(await inRedis(name)).toEqual(nowhere)
  })

  it('locks keys of any bytes, each alone under its key', async () => {
    const locker = await newLocker()
    const held = []
    const keys = KEYS_OF_ANY_BYTES.filter((name) => backend().misrouted?.[library]?.includes(name) !== true)
    for (const name of keys) held.push(await locker.acquire(name, 60_000, { fencing: true }))
    for (const [index, name] of keys.entries()) {
      const waiter = (await newLocker()).acquire(name, 60_000)
      await eventually(`it waits for ${name.slice(0, 20)}`, () => isQueued(clients, name))
      await held[index]?.release()
      await (await waiter).release()
      expect(await inRedis(name)).toEqual(nowhere)
    }
  })

  it('survives that the scripts are unknown before every operation', async () => {
    const name = key()
    const locker = await newLocker()
    await locker.prepare()
    const flush = () => Promise.all(clients.map(flushScripts))
    await flush()
    const lock = await locker.acquire(name, 5000, { fencing: true })
    await flush()
    await lock.extend(10_000)
    await flush()
    expect(await lock.ttl()).toBeGreaterThan(5000)
    const waiter = (await newLocker()).acquire(name, 5000)
    await eventually('it waits', async () => (await waiting(clients, name)) === 1)
    await flush()
    await lock.release()
    await flush()
    await (await waiter).release()
    expect(await inRedis(name)).toEqual(nowhere)
  })

  it('rejects its waiters when it is closed, and leaves held locks to be released', async () => {
    const name = key()
    const locker = await newLocker()
    const lock = await locker.acquire(name, 60_000)
    const waiter = locker.acquire(name, 60_000)
    const outcome = expect(waiter).rejects.toThrow(ClosedError)
    await eventually('it waits', async () => (await waiting(clients, name)) === 1)
    await locker.close()
    await outcome
    expect(await waiting(clients, name)).toBe(0)
    await expect(locker.tryAcquire(name, 100)).rejects.toThrow(ClosedError)
    await lock.release()
    expect(await inRedis(name)).toEqual(nowhere)
  })
}

/** How many wait for `name` on any instance. */
async function waiting(clients: readonly Client[], name: string): Promise<number> {
  const lengths = await Promise.all(clients.map((client) => client.zcard(`herdlock:queue:{${name}}:${name}`)))
  return lengths.reduce((sum, length) => sum + length, 0)
}

/** Whether anyone waits for a key whose queue's name is not known here: its hash tag may be a number. */
async function isQueued(clients: readonly Client[], name: string): Promise<boolean> {
  const suffix = `}:${name}`
  for (const client of clients) {
    const nodes = client.isCluster ? (client as Cluster).nodes('master') : [client as Redis]
    const prefix = client.options.keyPrefix ?? ''
    for (const node of nodes) {
      const keys = await node.keys(`${prefix}herdlock:queue:*`)
      if (keys.some((found) => found.endsWith(suffix))) return true
    }
  }
  return false
}

async function flushScripts(client: Client): Promise<void> {
  const nodes = client.isCluster ? (client as Cluster).nodes('master') : [client as Redis]
  await Promise.all(nodes.map((node) => node.script('FLUSH')))
}
