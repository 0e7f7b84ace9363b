import { describe, expect, test } from 'vitest'
import { ClosedError, LoadTimeoutError, ReentrantRefillError } from '../../src/errors.ts'
import { deferred } from '../support/deferred.ts'
import { cachesOn, counter, expired, settled, setups } from './cache-setups.ts'

describe.each(setups)('getOrRefill on $name', (setup) => {
  const { cacheWith, wholes } = cachesOn(setup)

  test('runs the loader once for all callers of a cold key, and not again while the value is fresh', async () => {
    const cache = cacheWith()
    const loads = counter((n) => ({ n }))
    const values = await Promise.all(Array.from({ length: 100 }, () => cache.getOrRefill('key', loads.loader)))
    expect(values).toEqual(Array.from({ length: 100 }, () => ({ n: 1 })))
    expect(await cache.getOrRefill('key', loads.loader)).toEqual({ n: 1 })
    expect(loads.runs).toBe(1)
  })

  test.each([null, 0, '', false, 'text', -0, Number.NaN, 10n])('takes %o for a value and keeps it', async (value) => {
    const cache = cacheWith()
    const loads = counter(() => value)
    expect(await cache.getOrRefill('key', loads.loader)).toBe(value)
    await settled(cache)
    expect(await cache.getOrRefill('key', loads.loader)).toBe(value)
    expect(loads.runs).toBe(1)
  })

  test('returns undefined without storing it', async () => {
    const cache = cacheWith()
    const loads = counter(() => undefined)
    expect(await cache.getOrRefill('key', loads.loader)).toBeUndefined()
    await settled(cache)
    expect(await cache.getOrRefill('key', loads.loader)).toBeUndefined()
    expect(loads.runs).toBe(2)
  })

  test.each([
    ['an Error', new Error('no')],
    ['undefined', undefined],
    ['a string', 'no'],
  ])('rejects every waiter with the very reason of the loader: %s', async (_name, reason) => {
    const cache = cacheWith()
    const loads = counter(() => Promise.reject(reason))
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => cache.getOrRefill('key', loads.loader)))
    expect(loads.runs).toBe(1)
    for (const result of results) expect(result).toEqual({ status: 'rejected', reason })
    await settled(cache)
    await expect(cache.getOrRefill('key', () => 'now')).resolves.toBe('now')
  })

  test('rejects when the loader throws, as when it rejects', async () => {
    const cache = cacheWith()
    const error = new Error('thrown')
    const loader = (): never => {
      throw error
    }
    await expect(cache.getOrRefill('key', loader)).rejects.toBe(error)
  })

  test('takes the first settlement of a hostile thenable', async () => {
    const cache = cacheWith()
    const hostile = {
      then(resolve: (value: string) => void, reject: (reason: unknown) => void) {
        resolve('first')
        reject(new Error('second'))
        throw new Error('third')
      },
    }
    await expect(cache.getOrRefill('key', () => hostile as unknown as Promise<string>)).resolves.toBe('first')
  })

  test('serves a stale value at once while one caller refills it in the background', async () => {
    const cache = cacheWith({ ttl: 20, staleWhileRevalidate: 60_000 })
    await cache.getOrRefill('key', () => 'old')
    await settled(cache)
    await expired(20)
    const refill = deferred<string>()
    const backgrounds: boolean[] = []
    const loader = ({ background }: { background: boolean }): Promise<string> => {
      backgrounds.push(background)
      return refill.promise
    }
    for (let i = 0; i < 10; i++) expect(await cache.getOrRefill('key', loader)).toBe('old')
    refill.resolve('new')
    await settled(cache)
    expect(backgrounds).toEqual([true])
    expect(await cache.getOrRefill('key', () => 'newer', { ttl: 60_000 })).toBe('new')
  })

  test('serves a stale value within staleIfError when the refill fails', async () => {
    const cache = cacheWith({ ttl: 20, staleIfError: 60_000 })
    await cache.getOrRefill('key', () => 'old')
    await settled(cache)
    await expired(20)
    await expect(cache.getOrRefill('key', () => Promise.reject(new Error('down')))).resolves.toBe('old')
  })

  test('after a failure serves the stale value for a while without another attempt', async () => {
    const cache = cacheWith({ ttl: 20, staleIfError: 60_000 })
    await cache.getOrRefill('key', () => 'old')
    await settled(cache)
    await expired(20)
    const loads = counter(() => Promise.reject(new Error('down')))
    for (let wave = 0; wave < 3; wave++) {
      const values = await Promise.all([1, 2, 3].map(() => cache.getOrRefill('key', loads.loader)))
      expect(values).toEqual(['old', 'old', 'old'])
      await settled(cache)
    }
    expect(loads.runs).toBe(1)
    await cache.invalidate('key')
    await expect(cache.getOrRefill('key', loads.loader)).rejects.toThrow('down')
  })

  test('gives a loader up after loadTimeout, aborts its signal, and discards its late result', async () => {
    const cache = cacheWith({ loadTimeout: 30 })
    const late = deferred<string>()
    let reason: unknown
    const call = cache.getOrRefill('key', ({ signal }) => {
      signal.addEventListener('abort', () => (reason = signal.reason))
      return late.promise
    })
    await expect(call).rejects.toBeInstanceOf(LoadTimeoutError)
    expect(reason).toBeInstanceOf(LoadTimeoutError)
    late.resolve('late')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'again')).toBe('again')
  })

  test('rejects only the caller that aborts; aborts the load with the last one', async () => {
    const cache = cacheWith()
    const started = deferred<AbortSignal>()
    const loader = ({ signal }: { signal: AbortSignal }): Promise<string> => {
      started.resolve(signal)
      return new Promise(() => {})
    }
    const first = new AbortController()
    const second = new AbortController()
    const calls = [first, second].map(({ signal }) => cache.getOrRefill('key', loader, { signal }))
    const loadSignal = await started.promise
    first.abort(new Error('first leaves'))
    await expect(calls[0]).rejects.toThrow('first leaves')
    expect(loadSignal.aborted).toBe(false)
    second.abort(new Error('second leaves'))
    await expect(calls[1]).rejects.toThrow('second leaves')
    expect(loadSignal.aborted).toBe(true)
    await expect(cache.getOrRefill('key', () => 'after')).resolves.toBe('after')
  })

  test('rejects alike for a signal that is aborted already, on hit and on miss, without loading', async () => {
    const cache = cacheWith()
    const loads = counter(() => 'value')
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(cache.getOrRefill('key', loads.loader, { signal })).rejects.toThrow('too late')
    expect(loads.runs).toBe(0)
    await cache.getOrRefill('key', loads.loader)
    await expect(cache.getOrRefill('key', loads.loader, { signal })).rejects.toThrow('too late')
  })

  test('a refill that began before an invalidation is delivered to its callers but not stored', async () => {
    const cache = cacheWith()
    const slow = deferred<string>()
    const loading = deferred<void>()
    const before = cache.getOrRefill('key', () => {
      loading.resolve()
      return slow.promise
    })
    await loading.promise
    await cache.invalidate('key')
    expect(await cache.getOrRefill('key', () => 'new')).toBe('new')
    slow.resolve('old')
    expect(await before).toBe('old')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'newer')).toBe('new')
  })

  test('a value set while a refill runs survives it', async () => {
    const cache = cacheWith()
    const slow = deferred<string>()
    const loading = deferred<void>()
    const before = cache.getOrRefill('key', () => {
      loading.resolve()
      return slow.promise
    })
    await loading.promise
    await cache.set('key', 'set')
    slow.resolve('old')
    expect(await before).toBe('old')
    await settled(cache)
    expect(await cache.get('key')).toBe('set')
  })

  test('doNotStore: waiters get the result, nobody keeps it', async () => {
    const cache = cacheWith()
    const loads = counter((n) => n)
    const loader = (context: { doNotStore(): void }): Promise<number> | number => {
      context.doNotStore()
      return loads.loader()
    }
    expect(await Promise.all([cache.getOrRefill('key', loader), cache.getOrRefill('key', loader)])).toEqual([1, 1])
    await settled(cache)
    expect(await cache.getOrRefill('key', loader)).toBe(2)
  })

  test('doNotShare: every caller gets the result of its own loader, none waits for another', async () => {
    const cache = cacheWith()
    const slow = deferred<void>()
    let runs = 0
    const callAs = (name: string): Promise<string> =>
      cache.getOrRefill('key', async ({ doNotShare }) => {
        runs++
        doNotShare()
        if (name === 'leader') await slow.promise
        return name
      })
    const leader = callAs('leader')
    const waiters = ['a', 'b', 'c'].map(callAs)
    expect(await Promise.all(waiters)).toEqual(['a', 'b', 'c'])
    expect(await callAs('later')).toBe('later')
    slow.resolve()
    expect(await leader).toBe('leader')
    expect(runs).toBe(5)
  })

  test('cacheFor decides the lifetime after loading', async () => {
    const cache = cacheWith({ ttl: 20 })
    const loads = counter((n) => n)
    const loader = (context: { cacheFor(lifetime: { ttl: number }): void }): unknown => {
      context.cacheFor({ ttl: 60_000 })
      return loads.loader()
    }
    await cache.getOrRefill('key', loader)
    await settled(cache)
    await expired(20)
    expect(await cache.getOrRefill('key', loader)).toBe(1)
  })

  test('a loader that asks for its own key, directly or by way of another, gets an error and not a deadlock', async () => {
    const cache = cacheWith()
    const direct = cache.getOrRefill('a', () => cache.getOrRefill('a', () => 1))
    await expect(direct).rejects.toBeInstanceOf(ReentrantRefillError)
    await settled(cache)
    const circle = cache.getOrRefill('a', () => cache.getOrRefill('b', () => cache.getOrRefill('a', () => 1)))
    await expect(circle).rejects.toBeInstanceOf(ReentrantRefillError)
  })

  test('what a caller does to a value does not reach the next caller', async () => {
    const cache = cacheWith()
    const first = await cache.getOrRefill('plain', () => ({ list: [1] }))
    // What memory keeps is frozen; where it keeps nothing, every reader has a value of its own.
    const change = (): unknown => first.list.push(2)
    const isFrozen = Object.isFrozen(first.list)
    if (!isFrozen) change()
    expect(isFrozen).toBe(setup.options().memory !== false)
    await settled(cache)
    expect(await cache.getOrRefill('plain', () => ({ list: [3] }))).toEqual({ list: [1] })
    const map = await cache.getOrRefill('map', () => new Map([['a', 1]]))
    await settled(cache)
    map.set('b', 2)
    const next = await cache.getOrRefill<Map<string, number>>('map', () => new Map())
    expect(next).toEqual(new Map([['a', 1]]))
    next.set('c', 3)
    expect(await cache.getOrRefill('map', () => new Map())).toEqual(new Map([['a', 1]]))
  })

  test('a value that cannot be encoded is delivered, reported and not stored', async () => {
    const cache = cacheWith()
    const errors: unknown[] = []
    cache.on('error', ({ error }) => errors.push(error))
    const loads = counter(() => ({ run() {} }))
    expect(await cache.getOrRefill('key', loads.loader)).toEqual({ run: expect.any(Function) as unknown })
    await settled(cache)
    await cache.getOrRefill('key', loads.loader)
    expect(loads.runs).toBe(2)
    expect(errors[0]).toMatchObject({ code: 'SERIALIZATION' })
  })

  test.each([
    ['key', undefined],
    ['key', null],
    ['key', 7],
    ['key', {}],
    ['key', Symbol('key')],
    ['key', ''],
    ['key', '\ud800'],
  ])('rejects a bad %s (%o) by name, without loading', async (_option, key) => {
    const cache = cacheWith()
    const loads = counter(() => 1)
    await expect(cache.getOrRefill(key as string, loads.loader)).rejects.toThrow(/^key must be/)
    expect(loads.runs).toBe(0)
  })

  test.each(['\n', '\0', '{}', '}{', '{a}b', 'a}b{', '__proto__', 'key:lease', '%7B', 'ü🦜', 'x'.repeat(1 << 20)])(
    'keeps an odd key to itself (%#)',
    async (key) => {
      const cache = cacheWith()
      for (const other of [key, `${key}x`, `x${key}`]) {
        expect(await cache.getOrRefill(other, () => ({ key: other }))).toEqual({ key: other })
        await settled(cache)
        expect(await cache.get(other)).toEqual({ key: other })
      }
    },
  )

  test('getOrRefillMany loads what nobody has in one call, and returns what there is', async () => {
    const cache = cacheWith()
    await cache.set('a', 'stored')
    const asked: string[][] = []
    const values = await cache.getOrRefillMany(['a', 'b', 'c', 'none', 'b'], (keys) => {
      asked.push([...keys])
      return new Map(keys.filter((key) => key !== 'none').map((key) => [key, `loaded ${key}`]))
    })
    expect(asked).toEqual([['b', 'c', 'none']])
    expect([...values]).toEqual([
      ['a', 'stored'],
      ['b', 'loaded b'],
      ['c', 'loaded c'],
    ])
    await settled(cache)
    expect(await cache.get('c')).toBe('loaded c')
    expect(await cache.get('none')).toBeUndefined()
  })

  test('getOrRefillMany waits for keys that others load, and loads only the rest', async () => {
    const cache = cacheWith()
    const slow = deferred<string>()
    const loading = deferred<void>()
    const other = cache.getOrRefill('a', () => {
      loading.resolve()
      return slow.promise
    })
    await loading.promise
    const asked: string[][] = []
    const many = cache.getOrRefillMany(['a', 'b'], (keys) => {
      asked.push([...keys])
      slow.resolve('from the other')
      return new Map([['b', 'own']])
    })
    expect(Object.fromEntries(await many)).toEqual({ a: 'from the other', b: 'own' })
    expect(await other).toBe('from the other')
    expect(asked).toEqual([['b']])
  })

  test('getOrRefillMany: a failure of one key rejects the call, and the others are stored all the same', async () => {
    const cache = cacheWith()
    const failure = new Error('no b')
    const many = cache.getOrRefillMany<string>(
      ['a', 'b'],
      () =>
        new Map<string, never>([
          ['a', 'A' as never],
          ['b', failure as never],
        ]),
    )
    await expect(many).rejects.toBe(failure)
    await settled(cache)
    expect(await cache.get('a')).toBe('A')
    await expect(cache.getOrRefillMany(['c'], () => Promise.reject(failure))).rejects.toBe(failure)
  })

  test('invalidateTags forgets all entries of a tag, and only those', async () => {
    const cache = cacheWith()
    await cache.getOrRefill('a', () => 'old a', { tags: ['t', '%{}'] })
    await cache.getOrRefill('b', ({ cacheFor }) => {
      cacheFor({ tags: ['t'] })
      return 'old b'
    })
    await cache.getOrRefill('c', () => 'old c', { tags: ['other'] })
    await cache.set('d', 'old d', { tags: ['t'] })
    await settled(cache)
    expect(await cache.getOrRefill('a', () => 'no')).toBe('old a')
    await cache.invalidateTags('t')
    for (const key of ['a', 'b', 'd']) expect(await cache.getOrRefill(key, () => 'new')).toBe('new')
    expect(await cache.getOrRefill('c', () => 'new')).toBe('old c')
  })

  test('a load that began before its tag was invalidated is not stored, nor shared with later callers', async () => {
    const cache = cacheWith()
    const slow = deferred<string>()
    const loading = deferred<void>()
    const load = (): Promise<string> => {
      loading.resolve()
      return slow.promise
    }
    const before = cache.getOrRefill('key', load, { tags: ['t'] })
    await loading.promise
    await cache.invalidateTags(['t'])
    const after = cache.getOrRefill('key', () => 'new', { tags: ['t'] })
    slow.resolve('old')
    expect(await before).toBe('old')
    expect(await after).toBe('new')
    await settled(cache)
    expect(await cache.getOrRefill('key', () => 'newer')).toBe('new')
  })

  test('clear forgets everything, and what is being loaded', async () => {
    const cache = cacheWith()
    await cache.set('a', 1)
    await cache.set('b', 2)
    const slow = deferred<string>()
    const loading = deferred<void>()
    const before = cache.getOrRefill('key', () => {
      loading.resolve()
      return slow.promise
    })
    await loading.promise
    await cache.clear()
    slow.resolve('old')
    expect(await before).toBe('old')
    await settled(cache)
    for (const key of ['a', 'b', 'key']) expect(await cache.get(key)).toBeUndefined()
  })

  test('versions of a value stand beside each other, and whatever is done to one is not done to the others', async () => {
    const cache = cacheWith({ version: 1 })
    const load = (n: number) => (): string => `loaded ${n}`
    const versionOf = (version?: number): { version?: number } => (version === undefined ? {} : { version })
    const get = (version?: number): Promise<unknown> => cache.get('key', versionOf(version))
    expect(await cache.getOrRefill('key', load(1))).toBe('loaded 1')
    expect(await cache.getOrRefill('key', load(2), { version: 2 })).toBe('loaded 2')
    await settled(cache)
    expect([await get(), await get(1), await get(2), await get(3)]).toEqual([
      'loaded 1',
      'loaded 1',
      'loaded 2',
      undefined,
    ])
    await cache.set('key', 'set 2', { version: '2' })
    expect([await get(), await get(2)]).toEqual(['loaded 1', 'set 2'])
    await cache.invalidate('key')
    expect([await get(), await get(2)]).toEqual([undefined, 'set 2'])
    await cache.invalidate(['key'], { version: 2 })
    expect(await get(2)).toBeUndefined()
    expect(cache.peek('key', { version: 2 })).toBeUndefined()
    const many = await cache.getOrRefillMany(['key', 'other'], (keys) => new Map(keys.map((key) => [key, key])), {
      version: 2,
    })
    expect(many).toEqual(
      new Map([
        ['key', 'key'],
        ['other', 'other'],
      ]),
    )
    expect([await get(), await get(2)]).toEqual([undefined, 'key'])
    expect(await cache.examine('key', { version: 2 })).toMatchObject({ key: 'key', version: '2', state: 'fresh' })
    expect(await cache.examine('key')).toMatchObject({ key: 'key', version: '1', state: 'absent' })
  })

  test('invalidateTags and clear reach all versions', async () => {
    const cache = cacheWith()
    const versions = [undefined, 1, 2]
    const found = (): Promise<unknown[]> => Promise.all(versions.map((version) => cache.get('key', { version })))
    for (const version of versions) await cache.set('key', 'tagged', { version, tags: ['t'] })
    expect(await found()).toEqual(['tagged', 'tagged', 'tagged'])
    await cache.invalidateTags('t')
    expect(await found()).toEqual([undefined, undefined, undefined])
    for (const version of versions) await cache.set('key', 'plain', { version })
    await cache.clear()
    expect(await found()).toEqual([undefined, undefined, undefined])
  })

  test('null is kept for negativeTtl', async () => {
    const cache = cacheWith({ negativeTtl: 20 })
    const loads = counter(() => null)
    expect(await cache.getOrRefill('key', loads.loader)).toBeNull()
    await settled(cache)
    await expired(20)
    await cache.getOrRefill('key', loads.loader)
    expect(loads.runs).toBe(2)
  })

  test('with earlyExpiration a fresh value is refilled before it expires, and served meanwhile', async () => {
    const cache = cacheWith({ earlyExpiration: { beta: 1e9 } })
    await cache.getOrRefill('key', async () => {
      await expired(5)
      return 'old'
    })
    await settled(cache)
    const refilled = deferred<void>()
    cache.on('refilled', () => refilled.resolve())
    expect(await cache.getOrRefill('key', () => 'new')).toBe('old')
    await refilled.promise
    await settled(cache)
    expect(await cache.get('key')).toBe('new')
  })

  test('after close, pending calls have settled and later ones reject', async () => {
    const cache = cacheWith()
    const pending = cache.getOrRefill('key', () => new Promise<string>(() => {}))
    const outcome = expect(pending).rejects.toBeInstanceOf(ClosedError)
    await wholes[0]?.close() // of a namespace: the whole
    await outcome
    await expect(cache.getOrRefill('key', () => 1)).rejects.toBeInstanceOf(ClosedError)
    await expect(cache.set('key', 1)).rejects.toBeInstanceOf(ClosedError)
  })

  test('methods work detached', async () => {
    const { getOrRefill, peek, wrap } = cacheWith()
    expect(await getOrRefill('key', () => 1)).toBe(1)
    const square = wrap((n: number) => n * n, { key: (n) => `square:${n}` })
    expect(await square(3)).toBe(9)
    expect(peek('nothing')).toBeUndefined()
  })
})
