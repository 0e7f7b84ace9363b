import { beforeEach, describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { ReentrantRefillError } from '../../../src/errors.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

let clock: FakeClock
let cache: Cache
beforeEach(() => {
  clock = new FakeClock()
  cache = cacheWith({})
})

function cacheWith(options: Partial<CacheOptions>): Cache {
  return createCacheOn({ ttl: 100, ...options }, clock, new FakeRandom())
}

/** A pool of one connection that calls back in the context of whoever gives the connection back. */
class CallbackPool {
  readonly #waiting: (() => void)[] = []
  #isTaken = false

  take(callback: () => void): void {
    if (this.#isTaken) this.#waiting.push(callback)
    else {
      this.#isTaken = true
      callback()
    }
  }

  giveBack(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken = false
    else next()
  }
}

describe('a pool that runs one request in the context of another', () => {
  it('makes no loader wait for itself', async () => {
    const pool = new CallbackPool()
    const query = deferred<string>()
    const rest = deferred<void>()
    const load = (): Promise<string> =>
      new Promise((resolve) => {
        pool.take(() => {
          void query.promise.then(async (row) => {
            pool.giveBack() // the other request goes on here, inside of this load
            await rest.promise
            resolve(row)
          })
        })
      })
    const first = cache.getOrRefill('key', load)
    const second = new Promise((resolve, reject) => {
      pool.take(() => void cache.getOrRefill('key', load).then(resolve, reject))
    })
    query.resolve('row')
    await clock.settle()
    await clock.advance(400)
    rest.resolve()
    expect(await Promise.all([first, second])).toEqual(['row', 'row'])
    await clock.settle()
    expect(clock.pendingTimers).toBe(0)
  })

  it('but one that does so wait is told within half a second', async () => {
    const outcome = cache
      .getOrRefill('key', async () => {
        await Promise.resolve()
        return cache.getOrRefill('key', () => 'never')
      })
      .catch((error: unknown) => error)
    await clock.settle()
    await clock.advance(500)
    expect(await outcome).toBeInstanceOf(ReentrantRefillError)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('wrap', () => {
  it('keeps `this` for the function and for the key', async () => {
    class Users {
      readonly name: string
      declare get: (id: number) => Promise<string>
      constructor(name: string) {
        this.name = name
      }
      async load(id: number): Promise<string> {
        return `${this.name}:${id}`
      }
    }
    Users.prototype.get = cache.wrap(Users.prototype.load, {
      key(this: Users, id: number) {
        return `${this.name}:${id}`
      },
    } as { key: (id: number) => string })
    expect(await new Users('a').get(1)).toBe('a:1')
    expect(await new Users('b').get(1)).toBe('b:1')
  })

  it('rejects with what the key function throws', async () => {
    const wrapped = cache.wrap((id: string) => id, { key: (id) => JSON.parse(id) as string })
    const outcome = wrapped('{')
    await expect(outcome).rejects.toBeInstanceOf(SyntaxError)
  })
})

describe('waitUntil', () => {
  it('is handed refills in the background, and resolves at their end', async () => {
    const works: Promise<unknown>[] = []
    cache = cacheWith({ staleWhileRevalidate: 1000, waitUntil: (work) => works.push(work) })
    await cache.getOrRefill('key', () => 'old')
    expect(works).toEqual([])
    await clock.advance(100)
    const gate = deferred<string>()
    expect(await cache.getOrRefill('key', () => gate.promise)).toBe('old')
    expect(works).toHaveLength(1)
    let isOver = false
    void works[0]?.then(() => (isOver = true))
    await clock.settle()
    expect(isOver).toBe(false)
    gate.resolve('new')
    await works[0]
    expect(cache.peek('key')).toBe('new')
  })

  it('of a call takes the place of that of the cache', async () => {
    const works: string[] = []
    cache = cacheWith({ staleWhileRevalidate: 1000, waitUntil: () => works.push('cache') })
    const call = () => cache.getOrRefill('key', () => 'value', { waitUntil: () => works.push('call') })
    await call()
    await clock.advance(100)
    await call()
    expect(works).toEqual(['call'])
    const refused = cache.getOrRefill('key', () => 1, { waitUntil: 'yes' as never })
    await expect(refused).rejects.toThrow('waitUntil must be a function, received "yes"')
  })

  it('never sees a failure, and harms nobody by its own', async () => {
    const works: Promise<unknown>[] = []
    const errors: unknown[] = []
    cache = cacheWith({
      staleWhileRevalidate: 1000,
      waitUntil(work) {
        works.push(work)
        throw new Error('too late to wait')
      },
    })
    cache.on('error', ({ error }) => errors.push(error))
    await cache.getOrRefill('key', () => 'old')
    await clock.advance(100)
    expect(await cache.getOrRefill('key', () => Promise.reject(new Error('down')))).toBe('old')
    await clock.settle()
    await works[0]
    expect(errors).toEqual([expect.objectContaining({ message: 'too late to wait' })])
  })

  it('must be a function', () => {
    expect(() => cacheWith({ waitUntil: 'yes' as never })).toThrow('waitUntil must be a function, received "yes"')
  })
})

describe('set of a value above maxBytes', () => {
  it('is reported, and does not reject', async () => {
    const errors: unknown[] = []
    cache = cacheWith({ memory: { maxBytes: 10 } })
    cache.on('error', ({ error }) => errors.push(error))
    await cache.set('key', 'small')
    await cache.set('key', 'much too large')
    expect(cache.peek('key')).toBeUndefined()
    expect(errors).toEqual([expect.any(RangeError)])
  })
})
