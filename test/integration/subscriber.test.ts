import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { SubscriberError } from '../../src/errors.ts'
import { Locker } from '../../src/lock/locker.ts'
import { cacheLab, gatedLoad, settled, subscribers, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { connectedClients } from '../support/leaks.ts'
import { startCluster } from '../support/redis-cluster.ts'
import { runProgram } from '../support/run-program.ts'
import { startProxy } from '../support/tcp-proxy.ts'

const lab = cacheLab()

const messages = (cache: Cache): string | undefined => cache.stats().redis[0]?.messages
const connected = (cache: Cache): Promise<unknown> =>
  eventually('messages arrive', () => messages(cache) === 'connected')

/** A client that logs in as a user who may do all but what `rights` takes away. */
async function userWith(...rights: string[]): Promise<Redis> {
  await lab.redis.command('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '~*', '+@all', 'allchannels', ...rights)
  lab.atEnd(() => lab.redis.command('ACL', 'DELUSER', 'app'))
  const redis = lab.client(`redis://app:secret@127.0.0.1:${lab.redis.port}`)
  return redis
}

/** What must come of a subscriber that is refused: one report at once, and service again when it is not. */
async function expectToldAndMended(cache: Cache, mend: () => Promise<unknown>, reason: RegExp): Promise<void> {
  await eventually('it is told', () => lab.errors.length > 0)
  expect(messages(cache)).toBe('failing')
  const [error] = lab.errors as [Error]
  expect(error).toBeInstanceOf(SubscriberError)
  expect(error.message).toMatch(reason)
  expect(JSON.stringify(error) + JSON.stringify(error.cause) + String(error.stack)).not.toContain('secret')
  expect(await cache.getOrRefill('meanwhile', () => 'loaded')).toBe('loaded')
  await mend()
  await connected(cache)
  const other = lab.cache()
  await cache.getOrRefill('key', () => 'old')
  await settled(cache)
  await other.set('key', 'new')
  await eventually('it hears of changes', () => cache.peek('key') === undefined)
  expect(lab.errors).toHaveLength(1)
}

describe('a subscriber that cannot connect or stay is told of at once, and connects when it can', () => {
  test('without the right to the channels', async () => {
    const cache = lab.cache({ redis: await userWith('resetchannels') })
    await cache.getOrRefill('first', () => 1)
    await expectToldAndMended(cache, () => lab.redis.command('ACL', 'SETUSER', 'app', 'allchannels'), /NOPERM/)
  })

  test('without the right to subscribe', async () => {
    const cache = lab.cache({ redis: await userWith('-subscribe') })
    await cache.getOrRefill('first', () => 1)
    await expectToldAndMended(cache, () => lab.redis.command('ACL', 'SETUSER', 'app', '+subscribe'), /NOPERM/)
  })

  test('beyond maxclients', async () => {
    const admin = lab.client()
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    await admin.config('SET', 'maxclients', 2)
    lab.atEnd(() => admin.config('SET', 'maxclients', 1000))
    await admin.client('KILL', 'TYPE', 'PUBSUB')
    await expectToldAndMended(
      cache,
      () => admin.config('SET', 'maxclients', 1000),
      /max number of clients|EPIPE|ECONNRESET|closed/,
    ) // as the race goes
  })

  test.each([5, 6])(
    'with a password that was changed: with the new one, once the client has it (ioredis %i)',
    async (version) => {
      await userWith()
      const options = { port: lab.redis.port, username: 'app', password: 'secret' }
      const redis = version === 6 ? new Redis(options) : new Redis5(options)
      redis.on('error', () => {})
      onTestFinished(() => redis.disconnect())
      const cache = lab.cache({ redis })
      await warmUp(lab.redis, cache)
      await lab.redis.command('ACL', 'SETUSER', 'app', 'resetpass', '>changed')
      await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
      const renew = async (): Promise<unknown> => {
        await redis.auth('app', 'changed')
        return (redis.options.password = 'changed')
      }
      await expectToldAndMended(cache, renew, /WRONGPASS/)
    },
  )

  test('whose client cannot be duplicated: nobody hangs, and who waits asks again', async () => {
    const redis = lab.client()
    const { duplicate } = redis
    redis.duplicate = () => {
      throw new Error('this client cannot be duplicated')
    }
    const [leader, waiter] = [lab.cache(), lab.cache({ redis })]
    const load = gatedLoad<string>()
    const led = leader.getOrRefill('key', load.loader)
    await load.started
    const waited = timed(() => waiter.getOrRefill('key', () => 'own'))
    await eventually('it waits', () => waiter.stats().flights === 1)
    load.gate.resolve('led')
    expect(await led).toBe('led')
    const { value, took } = await waited
    expect(value).toBe('led')
    expect(took).toBeLessThan(2000)
    const mend = async (): Promise<unknown> => (redis.duplicate = duplicate)
    await expectToldAndMended(waiter, mend, /cannot be duplicated/)
  })

  test('that is cut off again and again', async () => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    await eventually('it has noticed', () => messages(cache) !== 'connected')
    await connected(cache)
    expect(lab.errors).toEqual([]) // once may happen to anybody
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    await expectToldAndMended(cache, async () => {}, /closed/)
  })

  test('but not where Redis is away altogether: that is told by what fails', async () => {
    const proxy = await startProxy(lab.redis)
    onTestFinished(() => proxy.close())
    const cache = lab.cache({}, `redis://127.0.0.1:${proxy.port}`)
    await warmUp(lab.redis, cache)
    await proxy.refuse()
    proxy.reset()
    await eventually('it fails', () => messages(cache) === 'failing')
    await proxy.accept()
    await connected(cache)
    expect(lab.errors.filter((error) => error instanceof SubscriberError)).toEqual([])
  })
})

test('without the right to publish, a subscriber that hears nothing stays as it is', async () => {
  const cache = lab.cache({ redis: await userWith('-publish') })
  await cache.getOrRefill('first', () => 1)
  await connected(cache)
  const idOf = async (): Promise<unknown> => (await connectedClients(lab.redis)).find(({ sub }) => sub > 0)?.id
  const id = await idOf()
  // While somebody waits, a message to ourselves is tried each second.
  const load = gatedLoad<string>()
  const leader = lab.cache()
  const led = leader.getOrRefill('key', load.loader)
  await load.started
  const waited = cache.getOrRefill('key', () => 'own')
  await new Promise((resolve) => setTimeout(resolve, 3500))
  expect(await idOf()).toBe(id)
  load.gate.resolve('led')
  expect([await led, await waited]).toEqual(['led', 'led'])
})

describe('the subscriber of a Cluster', () => {
  test('survives the loss of its connection and of its node: changes are heard of again', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const { Cluster } = await import('ioredis')
    const made = [0, 1].map(() => {
      const client = new Cluster(cluster.addresses)
      client.on('error', () => {})
      const cache = createCache({ ttl: 60_000, redis: client })
      onTestFinished(async () => {
        await cache.close()
        client.disconnect()
      })
      return cache
    })
    const [writer, reader] = made as [Cache, Cache]
    const expectHeard = async (round: string): Promise<void> => {
      await connected(reader)
      await eventually(
        `${round}: it hears of changes`,
        async () => {
          await reader.getOrRefill(round, () => 'old')
          await settled(reader)
          await writer.invalidate(round)
          await new Promise((resolve) => setTimeout(resolve, 50))
          return reader.peek(round) === undefined
        },
        { within: 20_000 },
      )
    }
    await reader.getOrRefill('first', () => 1)
    await expectHeard('at first')
    const listening = async () => {
      for (const node of await cluster.masters()) if ((await subscribers(node)) > 0) return node
      return undefined
    }
    for (const node of await cluster.masters()) await node.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    await expectHeard('killed')
    const node = await listening()
    await node?.kill()
    await eventually('it listens elsewhere', async () => (await listening()) !== undefined, { within: 20_000 })
    await expectHeard('node gone')
  }, 60_000)

  test('logs in with what the application has renewed: in the options of the Cluster, or in those of its nodes', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const { Cluster } = await import('ioredis')
    const onAll = (...words: string[]): Promise<unknown> =>
      Promise.all(cluster.nodes.map((node) => node.command(...words)))
    const renewals: ((client: InstanceType<typeof Cluster>, password: string) => void)[] = [
      (client, password) => void Object.assign(client.options.redisOptions as object, { password }),
      (client, password) => client.nodes().forEach((node) => void (node.options.password = password)),
    ]
    for (const renew of renewals) {
      await onAll('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '~*', '+@all', 'allchannels')
      const client = new Cluster(cluster.addresses, { redisOptions: { username: 'app', password: 'secret' } })
      client.on('error', () => {})
      const cache = createCache({ ttl: 60_000, redis: client })
      const errors: unknown[] = []
      cache.on('error', ({ error }) => errors.push(error))
      await cache.getOrRefill('first', () => 1)
      await connected(cache)
      await onAll('ACL', 'SETUSER', 'app', 'resetpass', '>changed')
      await onAll('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
      await eventually('it is told', () => errors.length > 0)
      expect(String(errors[0])).toMatch(/WRONGPASS/)
      renew(client, 'changed')
      await connected(cache)
      await cache.close()
      client.disconnect()
    }
  }, 60_000)

  test('moves when its node leaves the Cluster and says nothing', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const { Cluster } = await import('ioredis')
    const client = new Cluster(cluster.addresses)
    client.on('error', () => {})
    const cache = createCache({ ttl: 60_000, redis: client })
    onTestFinished(async () => {
      await cache.close()
      client.disconnect()
    })
    await cache.getOrRefill('first', () => 1)
    await connected(cache)
    const masters = await cluster.masters()
    let old = masters[0]
    for (const node of masters) if ((await subscribers(node)) > 0) old = node
    // What others publish no longer reaches it; the connection to it stays.
    await old?.command('FLUSHALL')
    await old?.command('CLUSTER', 'RESET', 'HARD')
    await eventually('it has moved', async () => old !== undefined && (await subscribers(old)) === 0, {
      within: 20_000,
    })
    await connected(cache)
  }, 60_000)
})

describe('when the application closes its client, and not the cache or the locker', () => {
  test.each(['cache', 'locker', 'cluster'])(
    'the process ends: %s',
    async (what) => {
      const cluster = what === 'cluster' ? await startCluster() : undefined
      if (cluster) onTestFinished(() => cluster.stop())
      const port = cluster?.addresses[0]?.port ?? lab.redis.port
      for (const how of ['quit', 'disconnect']) {
        const program = await runProgram('test/integration/workers/client-end.ts', [what, how, String(port)])
        onTestFinished(() => program.kill('SIGKILL'))
        await program.line('closed')
        const { value, took } = await timed(() => program.exited)
        expect(value, program.errors).toEqual({ code: 0, signal: null })
        expect(took).toBeLessThan(2500) // a wait or two, and ioredis' own timer for the end of a connection
      }
    },
    60_000,
  )

  test('the subscriber ends with it, and is there again at the next need once it is connected again', async () => {
    const redis = lab.client()
    const cache = lab.cache({ redis })
    await warmUp(lab.redis, cache)
    await redis.quit()
    await eventually('it has ended', async () => (await subscribers(lab.redis)) === 0)
    expect(messages(cache)).toBe('closed')
    expect(await cache.getOrRefill('without', () => 'loaded')).toBe('loaded')
    expect(messages(cache)).toBe('closed')
    await redis.connect()
    await eventually('it is asked again', async () => {
      await cache.getOrRefill(`with ${performance.now()}`, () => 'loaded')
      return messages(cache) === 'connected'
    })
  })
})

test('however many caches and lockers share a client, it has few listeners, and none when all are closed', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  const redis = lab.client()
  const count = (): number => redis.eventNames().reduce((sum, event) => sum + redis.listenerCount(event as 'ready'), 0)
  const before = count()
  const caches = Array.from({ length: 20 }, () => createCache({ ttl: 1000, redis, prefix: lab.prefix }))
  const lockers = Array.from({ length: 20 }, () => new Locker({ clients: redis }))
  await Promise.all(caches.map((cache) => cache.getOrRefill('key', () => 1)))
  await Promise.all(caches.map(connected))
  await Promise.all([...caches, ...lockers].map((each) => each.close()))
  expect(count()).toBe(before)
  process.off('warning', onWarning)
  expect(warnings).toEqual([])
})

test('1000 results that come before the replies which say that others refill: every waiter is answered at once', async () => {
  const proxy = await startProxy(lab.redis)
  onTestFinished(() => proxy.close())
  const redis = lab.client(`redis://127.0.0.1:${proxy.port}`)
  // Replies take a while, messages do not.
  redis.duplicate = (options) => new Redis({ ...redis.options, ...options, port: lab.redis.port } as object)
  const leader = lab.cache({ lockTtl: 30_000 })
  const waiter = lab.cache({ redis, lockTtl: 30_000, commandTimeout: 5000 })
  await warmUp(lab.redis, leader, waiter)
  const keys = Array.from({ length: 1000 }, (_, i) => `key ${i}`)
  const load = gatedLoad<string>()
  const led = Promise.all(keys.map((key) => leader.getOrRefill(key, load.loader)))
  await load.started
  await eventually(
    'all are led',
    async () => (await lab.keys()).filter((key) => key.endsWith(':lease')).length === 1000,
  )
  proxy.delay(500) // each way
  const waited = timed(() => Promise.all(keys.map((key) => waiter.getOrRefill(key, () => 'own'))))
  const registered = async (): Promise<boolean> =>
    (await lab.keys()).filter((key) => key.endsWith(':waiters')).length === 1000
  await eventually('all are registered', registered, { every: 5 })
  load.gate.resolve('led')
  await led
  const { value, took } = await waited
  expect(new Set(value)).toEqual(new Set(['led']))
  expect(took).toBeLessThan(10_000) // else they would sit out the lease
})
