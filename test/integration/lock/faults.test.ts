import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  Locker,
  LockLostError,
  LockNotAcquiredError,
  LockNotHeldError,
  LockReleaseError,
  RedisTimeoutError,
} from '../../../src/lock.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { type RedisServer, type RedisServerOptions, startRedis } from '../../support/redis-server.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { settled } from './settled.ts'

const COMMAND_TIMEOUT = 600
/** ms that a busy machine adds. */
const SLACK = 400
/** What an operation may take. */
const BOUND = COMMAND_TIMEOUT + SLACK
const KEY = 'faults'

let server: RedisServer

async function ownServer(options?: RedisServerOptions): Promise<RedisServer> {
  const started = await startRedis(options)
  onTestFinished(() => started.stop())
  return started
}

async function proxyTo(target: RedisServer): Promise<TcpProxy> {
  const proxy = await startProxy(target)
  onTestFinished(() => proxy.close())
  return proxy
}

interface ClientOptions {
  retryStrategy?: () => number
  autoResendUnfulfilledCommands?: boolean
  username?: string
  password?: string
}

function connect(port: number, options: ClientOptions = {}): Redis {
  const client = new Redis({ ...options, port })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}

function lockerOf(...clients: Redis[]): Locker {
  const locker = new Locker({ clients, commandTimeout: COMMAND_TIMEOUT })
  onTestFinished(() => locker.close())
  return locker
}

const isQueued = (count: number): Promise<unknown> =>
  eventually('it waits', async () => (await server.command('ZCARD', `herdlock:queue:{${KEY}}:${KEY}`)) === count)

beforeEach(async () => void (server = await ownServer()))

describe('through a client with the default options', () => {
  it('operations on a frozen Redis end at their deadline, and no lock appears when it goes on', async () => {
    const locker = lockerOf(connect(server.port))
    const lock = await locker.acquire(KEY, 60_000)
    server.pause()
    for (const operation of [() => lock.extend(1000), () => lock.ttl(), () => lock.release()]) {
      const { error, took } = await settled<unknown>(operation())
      expect(error).toBeInstanceOf(RedisTimeoutError)
      expect(took).toBeLessThan(BOUND)
    }
    for (const attempt of ['tryAcquire', 'acquire'] as const) {
      const { error, took } = await settled(locker[attempt]('ghost', 60_000))
      expect(error).toBeInstanceOf(RedisTimeoutError)
      expect(took).toBeLessThan(BOUND)
    }
    server.resume()
    await locker.prepare() // comes after all that was sent
    expect(await server.command('EXISTS', 'ghost', 'herdlock:queue:{ghost}:ghost')).toBe(0)
  })

  it('operations over a connection that leads nowhere end at their deadline', async () => {
    const proxy = await proxyTo(server)
    const locker = lockerOf(connect(proxy.port))
    await locker.prepare()
    proxy.pause()
    const { error, took } = await settled(locker.tryAcquire(KEY, 60_000))
    expect(error).toBeInstanceOf(RedisTimeoutError)
    expect(took).toBeLessThan(BOUND)
    proxy.resume()
    await locker.prepare()
    expect(await server.command('EXISTS', KEY)).toBe(0)
  })

  it('operations on a Redis that is not there end at their deadline, and at once when the client has found out', async () => {
    const port = await freePort()
    const locker = lockerOf(connect(port))
    const first = await settled(locker.tryAcquire(KEY, 60_000))
    expect(first.error).toBeInstanceOf(RedisTimeoutError)
    expect(first.error?.message).toContain(`localhost:${port}`)
    expect(first.error?.cause).toMatchObject({ code: 'ECONNREFUSED' })
    expect(first.took).toBeLessThan(BOUND)
    for (const operation of ['tryAcquire', 'acquire'] as const) {
      const { error, took } = await settled(locker[operation](KEY, 60_000))
      expect(error).toMatchObject({ code: 'ECONNREFUSED', instance: `redis localhost:${port}` })
      expect(took).toBeLessThan(BOUND / 4)
    }
  })

  it('a release while the client cannot connect is carried out when it can, though it rejects at once', async () => {
    const proxy = await proxyTo(server)
    const client = connect(proxy.port, { retryStrategy: () => 100 })
    let attempts = 0
    client.on('reconnecting', () => attempts++)
    const locker = lockerOf(client)
    const lock = await locker.tryAcquire(KEY, 60_000)
    await proxy.refuse()
    proxy.reset()
    await eventually('it cannot connect', () => attempts >= 2)
    const { error, took } = await settled(lock.release())
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
    expect(took).toBeLessThan(BOUND / 4)
    await proxy.accept()
    await eventually('the lock is free', async () => (await server.command('EXISTS', KEY)) === 0)
  })

  it('a reply that was lost with its connection is found again: the lock is had', async () => {
    const proxy = await proxyTo(server)
    const locker = new Locker({ clients: connect(proxy.port, { retryStrategy: () => 10 }), commandTimeout: 5000 })
    onTestFinished(() => locker.close())
    await locker.prepare()
    const isSet = ([command]: readonly string[]): boolean => /^set$/i.test(command ?? '')
    const lost = proxy.loseReplies(1, isSet)
    const lock = await locker.tryAcquire(KEY, 60_000)
    await lost
    expect(String(await server.command('GET', KEY))).toBe(lock.token)
    await lock.release()
  })
})

it('a lock whose reply was lost for good is free at once', async () => {
  const proxy = await proxyTo(server)
  const client = connect(proxy.port, { retryStrategy: () => 10, autoResendUnfulfilledCommands: false })
  const locker = lockerOf(client)
  await locker.prepare()
  const isSet = ([command]: readonly string[]): boolean => /^set$/i.test(command ?? '')
  const lost = proxy.loseReplies(1, isSet)
  const { error } = await settled(locker.tryAcquire(KEY, 60_000))
  expect(error).toBeDefined()
  await lost
  await eventually('the lock is free', async () => (await server.command('EXISTS', KEY)) === 0, { within: 1000 })
})

it.each([
  ['700 ms of latency', (proxy: TcpProxy) => proxy.delay(700)],
  ['a truncated reply', (proxy: TcpProxy) => void proxy.truncateReply(2)],
  ['a connection reset', (proxy: TcpProxy) => proxy.reset()],
])('%s: the operation ends in time, and the next one works', async (_, provoke) => {
  const proxy = await proxyTo(server)
  const locker = lockerOf(connect(proxy.port, { retryStrategy: () => 10 }))
  await locker.prepare()
  provoke(proxy)
  const first = await settled(locker.tryAcquire(KEY, 60_000))
  expect(first.took).toBeLessThan(BOUND)
  proxy.delay(0)
  await first.value?.release()
  const lock = await eventually('the next one works', () => locker.tryAcquire(KEY, 60_000), { within: 2000 })
  await lock.release()
})

it.each([
  ['CLIENT KILL', () => server.command('CLIENT', 'KILL', 'TYPE', 'normal')],
  ['CLIENT PAUSE', () => server.command('CLIENT', 'PAUSE', '800')],
])('%s: a waiter gets the lock all the same', async (_, provoke) => {
  const locker = lockerOf(connect(server.port, { retryStrategy: () => 10 }))
  const other = new Locker({ clients: connect(server.port, { retryStrategy: () => 10 }), commandTimeout: 2000 })
  onTestFinished(() => other.close())
  const lock = await locker.acquire(KEY, 60_000)
  const waiter = other.acquire(KEY, 60_000)
  await isQueued(1)
  await provoke()
  await eventually('it is released', async () => (await settled(lock.release())).error instanceof LockNotHeldError)
  await (await waiter).release()
})

describe('what Redis refuses surfaces as Redis puts it', () => {
  it.each([
    ['READONLY', () => server.command('REPLICAOF', '127.0.0.1', String(server.port))],
    [
      'MASTERDOWN', // a replica that may be written to, but serves nothing without its master
      async () => {
        await server.command('CONFIG', 'SET', 'replica-read-only', 'no', 'replica-serve-stale-data', 'no')
        await server.command('REPLICAOF', '127.0.0.1', '1')
      },
    ],
    ['NOREPLICAS', () => server.command('CONFIG', 'SET', 'min-replicas-to-write', '3')],
    ['WRONGTYPE', () => server.command('RPUSH', KEY, 'a list')],
  ])('%s', async (code, provoke) => {
    const client = connect(server.port)
    await client.ping()
    await provoke()
    for (const options of [{}, { fencing: true }]) {
      for (const operation of ['tryAcquire', 'acquire'] as const) {
        const { error } = await settled(lockerOf(client)[operation](KEY, 60_000, options))
        expect(error?.message).toContain(code)
        expect(error).toHaveProperty('instance', `redis localhost:${server.port}`)
      }
    }
    expect(client.status).toBe('ready')
  })

  it('LOADING', async () => {
    const loading = await ownServer({ debug: true })
    const client = connect(loading.port)
    await client.ping()
    await loading.command('DEBUG', 'POPULATE', '2000', 'filler', '1000')
    await loading.command('CONFIG', 'SET', 'loading-process-events-interval-bytes', '1024', 'key-load-delay', '1000')
    const reload = loading.command('DEBUG', 'RELOAD')
    await eventually('it loads', async () => /LOADING/.test(String(await loading.command('GET', KEY).catch(String))))
    const { error } = await settled(lockerOf(client).tryAcquire(KEY, 60_000))
    expect(error?.message).toContain('LOADING')
    await reload
  })

  it('MISCONF', async () => {
    const broken = await ownServer({ args: ['--save', '3600 1'] })
    const folder = String(((await broken.command('CONFIG', 'GET', 'dir')) as unknown[])[1])
    await rm(folder, { recursive: true, force: true })
    await broken.command('BGSAVE').catch(() => {})
    await eventually('the save has failed', async () =>
      String(await broken.command('INFO', 'persistence')).includes('rdb_last_bgsave_status:err'),
    )
    const { error } = await settled(lockerOf(connect(broken.port)).tryAcquire(KEY, 60_000))
    expect(error?.message).toMatch(/^MISCONF /)
  })

  it('OOM', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    const { error } = await settled(lockerOf(connect(server.port)).tryAcquire(KEY, 60_000))
    expect(error?.message).toMatch(/^OOM /)
  })
})

it('a Redis that is busy for longer than a deadline: an operation waits no longer, and leaves no lock', async () => {
  const client = connect(server.port)
  await client.ping()
  const busyFor900ms = `local function ms() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
    local start = ms() while ms() - start < 900 do end`
  const busy = client.eval(busyFor900ms, 0)
  const { error, took } = await settled(lockerOf(client).tryAcquire(KEY, 60_000))
  expect(error).toBeInstanceOf(RedisTimeoutError)
  expect(took).toBeLessThan(BOUND)
  await busy
  await client.ping()
  expect(await server.command('EXISTS', KEY)).toBe(0)
})

it('a full Redis does not keep a lock from being released, or handed on', async () => {
  const locker = lockerOf(connect(server.port))
  const lock = await locker.acquire(KEY, 60_000)
  const waiter = settled(lockerOf(connect(server.port)).acquire(KEY, 60_000))
  await isQueued(1)
  await server.command('CONFIG', 'SET', 'maxmemory', '1')
  await lock.release()
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
  const { value } = await waiter
  await value?.release()
  await eventually('it is free', async () => (await server.command('EXISTS', KEY)) === 0)
})

describe('who may not', () => {
  it.each([
    ['has no password', {}],
    ['has a wrong password', { password: 'hunter2-wrong' }],
  ])('%s: is told so in time, and no message shows a password', async (_, options) => {
    const guarded = await ownServer({ password: 'hunter2-right' })
    const { error, took } = await settled(lockerOf(connect(guarded.port, options)).tryAcquire(KEY, 60_000))
    expect(took).toBeLessThan(BOUND)
    expect(`${error?.message} ${error?.stack}`).not.toContain('hunter2')
    expect(error).toBeInstanceOf(Error)
    expect(await guarded.command('EXISTS', KEY)).toBe(0)
  })

  it('run scripts: learns it from prepare, and from whatever needs one', async () => {
    await server.command('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
    const locker = lockerOf(connect(server.port, { username: 'plain', password: 'secret' }))
    await expect(locker.prepare()).rejects.toThrow(/NOPERM/)
    const lock = await locker.tryAcquire(KEY, 60_000)
    await expect(lock.release()).rejects.toThrow(/NOPERM/)
    await expect(locker.acquire('fenced', 60_000, { fencing: true })).rejects.toThrow(/NOPERM/)
  })

  it('subscribe: waits all the same, by looking', async () => {
    await server.command('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', 'resetchannels', '+@all')
    const deaf = lockerOf(connect(server.port, { username: 'deaf', password: 'secret' }))
    const lock = await lockerOf(connect(server.port)).acquire(KEY, 60_000)
    const waiter = deaf.acquire(KEY, 60_000)
    const looks = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1])
    await eventually('it looks again and again', async () => (await looks()) > 3)
    await lock.release()
    const releasedAt = performance.now()
    const next = await waiter
    expect(performance.now() - releasedAt).toBeLessThan(50 + SLACK)
    // What it releases it cannot announce; those who wait find out for themselves.
    const other = lockerOf(connect(server.port)).acquire(KEY, 60_000)
    await isQueued(1)
    await next.release()
    const secondReleasedAt = performance.now()
    await (await other).release()
    expect(performance.now() - secondReleasedAt).toBeLessThan(2400 + 200)
    expect(await server.command('EXISTS', KEY)).toBe(0)
  })
})

it('an acquisition that took longer than its ttl is given back', async () => {
  const proxy = await proxyTo(server)
  const locker = lockerOf(connect(proxy.port))
  await locker.prepare()
  proxy.delay(60)
  for (const operation of ['tryAcquire', 'acquire'] as const) {
    const { error } = await settled(locker[operation](KEY, 100))
    expect(error).toBeInstanceOf(LockNotAcquiredError)
    expect(error?.cause).toBeInstanceOf(LockLostError)
  }
  await locker.prepare()
  expect(await server.command('EXISTS', KEY)).toBe(0)
})

it('a lock that was handed over and whose confirmation took longer than its ttl is given back', async () => {
  const proxy = await proxyTo(server)
  const locker = lockerOf(connect(proxy.port, { retryStrategy: () => 150 }))
  const lock = await lockerOf(connect(server.port)).acquire(KEY, 60_000)
  const waiter = settled(locker.acquire(KEY, 100))
  await isQueued(1)
  // The client is without its connection, but not its inbox, when it is handed the lock.
  const isScript = ([command]: readonly string[]): boolean => /^eval/i.test(command ?? '')
  proxy
    .connections()
    .find(({ commands }) => commands.some(isScript))
    ?.reset()
  await new Promise((resolve) => setTimeout(resolve, 20)) // it has noticed
  await lock.release()
  const { error } = await waiter
  expect(error).toBeInstanceOf(LockNotAcquiredError)
  await eventually('it is given back', async () => (await server.command('EXISTS', KEY)) === 0, { within: 1000 })
})

describe('several instances', () => {
  it('are taken one after another, and given up from the last to the first', async () => {
    const [first, second] = [server, await ownServer()]
    const proxies = [await proxyTo(first), await proxyTo(second)] as const
    const clients = proxies.map(({ port }) => connect(port))
    const locker = new Locker({ clients, commandTimeout: 5000 })
    onTestFinished(() => locker.close())
    await locker.prepare()
    const has = async (instance: RedisServer): Promise<boolean> => (await instance.command('EXISTS', KEY)) === 1
    const sentTo = (proxy: TcpProxy, command: RegExp): boolean =>
      proxy.commands().some(([name]) => command.test(name ?? ''))

    proxies[0].pause()
    const acquiring = locker.acquire(KEY, 60_000)
    await clients[1]?.ping()
    expect(sentTo(proxies[1], /^set$/i)).toBe(false)
    proxies[0].resume()
    const lock = await acquiring

    proxies[1].pause()
    const releasing = lock.release()
    await clients[0]?.ping()
    expect(await has(first)).toBe(true)
    proxies[1].resume()
    await releasing
    expect([await has(first), await has(second)]).toEqual([false, false])
  })

  it('a release that one of them cannot hear frees the others and tells of the one', async () => {
    const second = await ownServer()
    const third = await ownServer()
    const proxy = await proxyTo(second)
    const locker = lockerOf(connect(server.port), connect(proxy.port), connect(third.port))
    const lock = await locker.acquire(KEY, 60_000)
    await proxy.refuse()
    proxy.reset()
    const { error } = await settled(lock.release())
    expect(error).toBeInstanceOf(LockReleaseError)
    expect((error as LockReleaseError).errors).toEqual([expect.any(RedisTimeoutError)])
    expect(await server.command('EXISTS', KEY)).toBe(0)
    expect(await third.command('EXISTS', KEY)).toBe(0)
    // The client kept the command: the instance is freed as soon as it can be reached.
    await proxy.accept()
    await eventually('it is free', async () => (await second.command('EXISTS', KEY)) === 0)
    await expect(lock.release()).rejects.toThrow(LockNotHeldError)
  })

  it('a lock that one of them has lost is not held', async () => {
    const second = await ownServer()
    const locker = lockerOf(connect(server.port), connect(second.port))
    const lock = await locker.acquire(KEY, 60_000)
    await second.command('DEL', KEY)
    await expect(lock.release()).rejects.toThrow(LockNotHeldError)
    expect(await server.command('EXISTS', KEY)).toBe(0)
  })
})

it('a key that was deleted or evicted is noticed at the next extension and not made anew', async () => {
  const lock = await lockerOf(connect(server.port)).acquire(KEY, 600, { autoExtend: true })
  const lost = once(lock.signal, 'abort')
  await server.command('DEL', KEY)
  const { took } = await settled(lost)
  expect(took).toBeLessThan(200 + SLACK)
  expect(lock.signal.reason).toBeInstanceOf(LockLostError)
  expect(await server.command('EXISTS', KEY)).toBe(0)
})

it('a Redis that freezes while a lock must be extended: the signal aborts before Redis would let others in', async () => {
  const locker = lockerOf(connect(server.port))
  const lock = await locker.acquire(KEY, 800, { autoExtend: true })
  const extended = Number(await server.command('PTTL', KEY))
  server.pause()
  const lost = await settled(once(lock.signal, 'abort'))
  expect(lost.took).toBeLessThanOrEqual(Math.max(extended, 800) + SLACK)
  expect(lock.signal.reason).toBeInstanceOf(LockLostError)
  server.resume()
  await lock.release().catch(() => {})
})

it('an event loop that is blocked beyond the ttl: the lock is lost and never revived', async () => {
  const other = lockerOf(connect(server.port))
  const lock = await lockerOf(connect(server.port)).acquire(KEY, 300, { autoExtend: true })
  const { signal } = lock
  const blockedUntil = performance.now() + 500
  while (performance.now() < blockedUntil);
  await expect(lock.extend(1000)).rejects.toThrow(LockNotHeldError)
  expect(signal.reason).toBeInstanceOf(LockLostError)
  const next = await other.tryAcquire(KEY, 60_000)
  await expect(lock.release()).rejects.toThrow(LockNotHeldError)
  await next.release()
})

it('an event loop that is blocked beyond the deadline of an operation whose reply has come: no false timeout', async () => {
  const locker = lockerOf(connect(server.port))
  await locker.prepare()
  const pending = locker.tryAcquire(KEY, 60_000)
  const blockedUntil = performance.now() + COMMAND_TIMEOUT + 100
  setImmediate(() => {
    while (performance.now() < blockedUntil);
  })
  await (await pending).release()
})
