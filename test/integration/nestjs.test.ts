import 'reflect-metadata'
import { Inject, Injectable, type Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { createCache } from '../../src/cache/create-cache.ts'
import { Locker as LockerClass } from '../../src/lock.ts'
import { Cache, Cached, HerdlockModule, type HerdlockOptions, Locker } from '../../src/nestjs.ts'
import { deferred } from '../support/deferred.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

type App = Awaited<ReturnType<typeof NestFactory.createApplicationContext>>

const QUIET = { logger: false, abortOnError: false } as const

const apps: App[] = []
let redis: Redis
let prefix: string
beforeEach(() => {
  redis = new Redis(sharedRedis().url)
  prefix = uniquePrefix('nestjs')
})
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()))
  await redis.quit()
})

async function start(herdlock: ReturnType<typeof HerdlockModule.forRoot>, providers: Type[] = []): Promise<App> {
  const app = await NestFactory.createApplicationContext(
    { module: class App {}, imports: [herdlock], providers },
    QUIET,
  )
  apps.push(app)
  return app
}

const shared = (): HerdlockOptions => ({ cache: { ttl: 60_000, redis, prefix } })

describe('Cache and Locker', () => {
  test('are injected by their types, and are those of the options', async () => {
    @Injectable()
    class Users {
      @Inject(Cache) readonly cache!: Cache
      @Inject(LockerClass) readonly locker!: Locker
    }
    const app = await start(HerdlockModule.forRoot(shared()), [Users])
    const { cache, locker } = app.get(Users)
    expect([cache.name, cache, locker]).toEqual([prefix, app.get(Cache), app.get(Locker)])
    await cache.set('key', 'value')
    await locker.withLock(`${prefix}:lock`, 1000, () => {})
    expect(await redis.keys(`*${prefix}*key*`)).toHaveLength(1)
  })

  test.each([
    ['a factory', { useFactory: (from: { ttl: number }) => ({ cache: { ttl: from.ttl } }), inject: ['from'] }],
    [
      'a class',
      {
        useClass: class {
          createHerdlockOptions = async () => ({ cache: { ttl: 1000 } })
        },
      },
    ],
  ])('come from options that %s gives later', async (_name, how) => {
    const imports = [
      { module: class From {}, providers: [{ provide: 'from', useValue: { ttl: 1000 } }], exports: ['from'] },
    ]
    const app = await start(HerdlockModule.forRootAsync({ imports, ...how }))
    expect(await app.get<Cache>(Cache).getOrRefill('key', () => 'value')).toBe('value')
  })

  test('are closed when the application shuts down; clients, and a cache that was given, are not', async () => {
    const app = await start(HerdlockModule.forRoot(shared()))
    const [cache, locker] = [app.get<Cache>(Cache), app.get(Locker)]
    await app.close()
    await expect(cache.set('key', 'value')).rejects.toThrow('closed')
    await expect(locker.tryAcquire('key', 1000)).rejects.toThrow('closed')
    const given = createCache({ ttl: 1000 })
    await (await start(HerdlockModule.forRoot({ cache: given, locker: { clients: redis } }))).close()
    await given.set('key', 'value')
    await given.close()
    expect(await redis.ping()).toBe('PONG')
  })

  test.each([
    [{}, 'cache must be a Cache or the options of one, received undefined'],
    [{ cache: { ttl: 0 } }, 'ttl must be a whole number of milliseconds above 0, received 0'],
    [{ cache: { ttl: 1 }, locker: {} }, 'clients must be'],
    [{ cache: { ttl: 1 }, singleFlight: { ttl: '5s' } }, 'ttl must be a whole number of milliseconds, 1 or more'],
  ])('are not made of %j: the application does not start', async (options, message) => {
    await expect(start(HerdlockModule.forRoot(options as never))).rejects.toThrow(message)
  })
})

describe('a method with @Cached()', () => {
  test('runs once for all who call it in two applications', async () => {
    const begun = deferred()
    const gate = deferred()
    let runs = 0
    @Injectable()
    class Users {
      @Cached()
      async find(id: string): Promise<string> {
        begun.resolve()
        await gate.promise
        return `user ${id}, run ${++runs}`
      }
    }
    const options = HerdlockModule.forRoot(shared())
    const users = [(await start(options, [Users])).get(Users), (await start(options, [Users])).get(Users)]
    const found = users.flatMap((each) => Array.from({ length: 20 }, () => each.find('1')))
    await begun.promise
    gate.resolve()
    expect(new Set(await Promise.all(found))).toEqual(new Set(['user 1, run 1']))
    expect(await users[0]?.find('2')).toBe('user 2, run 2')
  })

  test('takes the options of a call, and its key may be told to others', async () => {
    @Injectable()
    class Users {
      readonly table = 'users'
      runs = 0
      @Cached({ key: (id: string) => `user:${id}`, tags: ['users'], negativeTtl: 30_000 })
      async find(id: string): Promise<string> {
        return `${this.table}: ${id}, run ${++this.runs}`
      }
      @Cached({
        key(this: { table: string }, id: string) {
          return `${this.table}:${id}`
        },
      })
      async load(_id: string): Promise<number> {
        return ++this.runs
      }
    }
    const app = await start(HerdlockModule.forRoot(shared()), [Users])
    const [users, cache] = [app.get(Users), app.get<Cache>(Cache)]
    expect([await users.find('1'), cache.peek('user:1')]).toEqual(['users: 1, run 1', 'users: 1, run 1'])
    await cache.invalidate('user:1')
    expect(await users.find('1')).toBe('users: 1, run 2')
    await cache.invalidateTags('users')
    expect([await users.find('1'), await users.find('1')]).toEqual(['users: 1, run 3', 'users: 1, run 3'])
    expect([await users.load('1'), cache.peek('users:1')]).toEqual([4, 4])
  })

  test('rejects with its own error, and with one for arguments of which no key can be made', async () => {
    const failure = new Error('out of order')
    @Injectable()
    class Users {
      @Cached()
      async find(_at: Date | string): Promise<never> {
        throw failure
      }
    }
    const users = (await start(HerdlockModule.forRoot(shared()), [Users])).get(Users)
    await expect(users.find('1')).rejects.toBe(failure)
    await expect(users.find(new Date(0))).rejects.toThrow('an argument of a method with @Cached() and without `key`')
  })

  test('of a class that is derived has keys of its own', async () => {
    @Injectable()
    class Things {
      name(): string {
        return 'thing'
      }
      @Cached()
      async find(id: string): Promise<string> {
        return `${this.name()} ${id}`
      }
    }
    @Injectable()
    class Users extends Things {
      override name(): string {
        return 'user'
      }
      @Cached()
      async count(): Promise<number> {
        return 1
      }
    }
    const app = await start(HerdlockModule.forRoot(shared()), [Things, Users])
    const [things, users] = [app.get(Things), app.get(Users)]
    expect([await things.find('1'), await users.find('1'), await users.count()]).toEqual(['thing 1', 'user 1', 1])
  })

  test('keeps an application from starting that has no cache for it', async () => {
    @Injectable()
    class Users {
      @Cached()
      async find(): Promise<void> {}
    }
    const module = { module: class App {}, providers: [Users] }
    await expect(NestFactory.createApplicationContext(module, QUIET)).rejects.toThrow(/Cache/)
  })
})
