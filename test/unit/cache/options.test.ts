import { describe, expect, it } from 'vitest'
import { createCacheOn, resolveWithClients } from '../../../src/cache/create-cache.ts'
import {
  cap,
  checkCallOptions,
  checkTags,
  failureTtlOf,
  settingsOf,
  type CacheOptions,
  type CallOptions,
} from '../../../src/cache/options.ts'
import { checkKey, MAX_DURATION } from '../../../src/check.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

const positive = ['lockTtl', 'loadTimeout', 'waitTimeout', 'commandTimeout', 'negativeTtl'] as const
const fromZero = ['staleWhileRevalidate', 'staleIfError', 'softTimeout'] as const

const wrongTypes: [value: unknown, shown: string][] = [
  ['1000', '"1000"'],
  [null, 'null'],
  [true, 'true'],
  [1000n, '1000n'],
  [{}, 'an object'],
  [[1000], 'an array'],
  [Symbol('ttl'), 'a symbol'],
  [() => 1000, 'a function'],
]
const outOfRange: [value: unknown, shown: string][] = [
  [-1, '-1'],
  [-Infinity, '-Infinity'],
  [Number.NaN, 'NaN'],
  [0.5, '0.5'],
  [1000.5, '1000.5'],
]

function resolve(options: Record<string, unknown>): unknown {
  return resolveWithClients({ ttl: 1000, ...options } as unknown as CacheOptions)
}

/** The message names the option, what was expected and what came. */
function expectRefusal(run: () => unknown, kind: 'TypeError' | 'RangeError', option: string, received: string): void {
  let error: unknown
  try {
    run()
  } catch (caught) {
    error = caught
  }
  expect(error, `${option}: ${received}`).toMatchObject({ name: kind })
  const { message } = error as Error
  expect(message.startsWith(`${option} must be `), message).toBe(true)
  expect(message.endsWith(`, received ${received}`), message).toBe(true)
}

describe('options of createCache', () => {
  it.each(['ttl', ...positive, ...fromZero])('refuses a %s of the wrong type or out of range by name', (option) => {
    for (const [value, shown] of wrongTypes) {
      if (value === null && option !== 'ttl' && resolvesNull(option)) continue
      expectRefusal(() => resolve({ [option]: value }), 'TypeError', option, shown)
    }
    for (const [value, shown] of outOfRange) {
      expectRefusal(() => resolve({ [option]: value }), 'RangeError', option, shown)
    }
  })

  /** `?? default` takes null for absent. */
  function resolvesNull(option: string): boolean {
    return option !== 'negativeTtl'
  }

  it.each(['ttl', ...positive])('refuses a %s of 0', (option) => {
    expectRefusal(() => resolve({ [option]: 0 }), 'RangeError', option, '0')
  })

  it.each(fromZero)('takes a %s of 0', (option) => {
    expect(resolve({ [option]: 0 })).toMatchObject({ [option]: 0 })
  })

  it.each(['ttl', ...positive, ...fromZero])('cuts a %s that is longer than a year to a year', (option) => {
    for (const value of [Infinity, 2 ** 53, MAX_DURATION + 1]) {
      expect(resolve({ [option]: value })).toMatchObject({ [option]: MAX_DURATION })
    }
    expect(resolve({ [option]: 2 ** 31 })).toMatchObject({ [option]: 2 ** 31 })
    expect(cap(Infinity)).toBe(MAX_DURATION)
  })

  it('requires a ttl, and an object to hold it', () => {
    expectRefusal(() => resolveWithClients({} as CacheOptions), 'TypeError', 'ttl', 'undefined')
    for (const options of [undefined, null, 7] as unknown as CacheOptions[]) {
      expect(() => resolveWithClients(options)).toThrow(/^options must be an object with a ttl/)
    }
  })

  it('refuses a jitter outside [0, 1) and an earlyExpiration without a beta above 0', () => {
    for (const jitter of [-0.1, 1, 2, Number.NaN]) {
      expectRefusal(() => resolve({ jitter }), 'RangeError', 'jitter', String(jitter))
    }
    expectRefusal(() => resolve({ jitter: '0.1' }), 'TypeError', 'jitter', '"0.1"')
    expectRefusal(() => resolve({ earlyExpiration: 1 }), 'TypeError', 'earlyExpiration', '1')
    expectRefusal(() => resolve({ earlyExpiration: {} }), 'TypeError', 'earlyExpiration.beta', 'undefined')
    for (const beta of [0, -1, Infinity, Number.NaN]) {
      expectRefusal(() => resolve({ earlyExpiration: { beta } }), 'RangeError', 'earlyExpiration.beta', String(beta))
    }
  })

  it('takes a failureTtl that is a duration or a function, of a call, too, and checks what a function returns', () => {
    const check = (failureTtl: unknown) => checkCallOptions({ failureTtl } as CallOptions)
    for (const run of [(failureTtl: unknown) => resolve({ failureTtl }), check]) {
      for (const value of ['1000', true, {}]) expect(() => run(value)).toThrow(/^failureTtl must be a number of/)
      for (const value of [-1, 0.5, Number.NaN]) expect(() => run(value)).toThrow(/^failureTtl must be a whole number/)
      for (const value of [0, 1000, () => 0]) expect(() => run(value)).not.toThrow()
    }
    expect(resolve({ failureTtl: Infinity })).toMatchObject({ failureTtl: MAX_DURATION })
    expect(failureTtlOf(7, new Error('any'))).toBe(7)
    expect(failureTtlOf((error) => (error as Error).message.length, new Error('four'))).toBe(4)
    for (const bad of [-1, 0.5, '7', undefined, null]) {
      expect(() => failureTtlOf(() => bad as number, 0)).toThrow(/^what failureTtl returns must be a whole number/)
    }
  })

  it('refuses a prefix that would move hash tags or merge keys', () => {
    for (const prefix of ['', '{', '}', 'a{b}', '\ud800']) {
      expect(() => resolve({ prefix })).toThrow(/^prefix must be a non-empty string without braces, received "/)
    }
    expectRefusal(() => resolve({ prefix: 7 }), 'TypeError', 'prefix', '7')
  })

  it('refuses odd memory options by their full name', () => {
    expectRefusal(() => resolve({ memory: true }), 'TypeError', 'memory', 'true')
    for (const [value, shown] of [
      [0, '0'],
      [-1, '-1'],
      [1.5, '1.5'],
      [Number.NaN, 'NaN'],
    ] as const) {
      for (const name of ['maxEntries', 'maxBytes', 'ttl']) {
        expectRefusal(() => resolve({ memory: { [name]: value } }), 'RangeError', `memory.${name}`, shown)
      }
    }
    expect(() => resolve({ memory: false })).toThrow(/^memory must not be false without redis/)
  })

  it('refuses a version that is neither text nor a number', () => {
    for (const version of [null, true, {}, ['2']]) {
      expect(() => resolve({ version })).toThrow(/^version must be a non-empty string or a finite number, received /)
    }
    for (const version of ['', '\udc00', Infinity]) expect(() => resolve({ version })).toThrow(/^version must be/)
    for (const [version, name] of [
      ['v2', 'v2'],
      [2, '2'],
      [0, '0'],
    ])
      expect(resolve({ version })).toMatchObject({ version: name })
  })

  it('makes a cache of whatever it accepts', async () => {
    for (const memory of [{ maxEntries: Infinity }, { maxBytes: Infinity }, { maxEntries: 2 ** 31, ttl: Infinity }]) {
      const cache = createCacheOn({ ttl: Infinity, memory }, new FakeClock(), new FakeRandom())
      expect(await cache.getOrRefill('key', () => 1)).toBe(1)
      expect(cache.peek('key')).toBe(1)
      await cache.close()
    }
  })

  it('refuses an unknown onWaitTimeout, a codec without its methods, an odd name or redaction, and what is no client', () => {
    expectRefusal(() => resolve({ onWaitTimeout: 'wait' }), 'RangeError', 'onWaitTimeout', '"wait"')
    expectRefusal(() => resolve({ codec: { encode() {} } }), 'TypeError', 'codec', 'an object')
    expectRefusal(() => resolve({ redactKey: 'none' }), 'TypeError', 'redactKey', '"none"')
    expectRefusal(() => resolve({ name: 7 }), 'TypeError', 'name', '7')
    expectRefusal(() => resolve({ name: '' }), 'RangeError', 'name', '""')
    expectRefusal(() => resolve({ redis: 'redis://localhost' }), 'TypeError', 'redis', '"redis://localhost"')
    expect(() => resolve({ redis: [] })).toThrow(/^redis must name at least one/)
  })

  it('does not change what it was given', () => {
    const options = Object.freeze({ ttl: Infinity, memory: Object.freeze({ maxEntries: 5 }) })
    expect(resolveWithClients(options)).toMatchObject({ ttl: MAX_DURATION, memory: { maxEntries: 5 } })
  })
})

describe('options of a call', () => {
  const check = (options: Record<string, unknown>): void => checkCallOptions(options as CallOptions)
  const names = ['ttl', ...positive.filter((name) => !/lock|command/.test(name)), ...fromZero]

  it.each(names)('refuses a %s of the wrong type or out of range by name', (option) => {
    for (const [value, shown] of wrongTypes) expectRefusal(() => check({ [option]: value }), 'TypeError', option, shown)
    for (const [value, shown] of outOfRange)
      expectRefusal(() => check({ [option]: value }), 'RangeError', option, shown)
    check({ [option]: undefined })
    check({ [option]: Infinity })
  })

  it.each([{}, 'abort', null, { aborted: false }])('refuses %o for a signal', (signal) => {
    expect(() => check({ signal })).toThrow(/^signal must be an AbortSignal, received/)
  })

  it('refuses odd tags, onWaitTimeout, codec, jitter, and options that are no object', () => {
    expectRefusal(() => check({ tags: 'a' }), 'TypeError', 'tags', '"a"')
    expectRefusal(() => check({ tags: ['a', ''] }), 'RangeError', 'tag', '""')
    expectRefusal(() => check({ tags: Array.from({ length: 101 }, String) }), 'RangeError', 'tags', 'an array')
    expectRefusal(() => check({ onWaitTimeout: null }), 'RangeError', 'onWaitTimeout', 'null')
    expectRefusal(() => check({ codec: {} }), 'TypeError', 'codec', 'an object')
    expectRefusal(() => check({ jitter: 1 }), 'RangeError', 'jitter', '1')
    expect(() => checkCallOptions(7 as CallOptions)).toThrow(/^options must be an object, received 7/)
  })

  it('overrides that of the cache, where it is given', () => {
    const defaults = resolveWithClients({ ttl: 1000, staleIfError: 5 })
    expect(settingsOf(undefined, defaults)).toMatchObject({ ttl: 1000, staleIfError: 5 })
    expect(settingsOf({ ttl: 7, staleIfError: 0 }, defaults)).toMatchObject({ ttl: 7, staleIfError: 0 })
    expect(settingsOf({ ttl: Infinity }, defaults)).toMatchObject({ ttl: MAX_DURATION })
  })
})

describe('keys and tags', () => {
  it.each([
    [undefined, 'TypeError', 'undefined'],
    [null, 'TypeError', 'null'],
    [7, 'TypeError', '7'],
    [{}, 'TypeError', 'an object'],
    [['a'], 'TypeError', 'an array'],
    [Symbol('key'), 'TypeError', 'a symbol'],
    ['', 'RangeError', '""'],
    ['\ud800', 'RangeError', '"\\ud800"'],
    ['a\udc00b', 'RangeError', '"a\\udc00b"'],
  ] as const)('refuses %o', (key, kind, shown) => {
    expectRefusal(() => checkKey(key), kind, 'key', shown)
    expectRefusal(() => checkTags([key]), kind, 'tag', shown)
  })

  it('shows no line break and no more than a part of a long key in a message', () => {
    let message = ''
    try {
      checkKey(`\ud800\n${'x'.repeat(1 << 20)}`)
    } catch (error) {
      message = String(error)
    }
    expect(message.length).toBeLessThan(300)
    expect(message).not.toContain('\n')
  })

  it.each(['\0', '\n', '{}', '}{', '__proto__', 'ü🦜', 'x'.repeat(1 << 20)])('takes an odd key (%#)', (key) => {
    expect(() => checkKey(key)).not.toThrow()
  })
})

describe('bad arguments reach neither loader nor flight', () => {
  const bad: [what: string, key: unknown, loader: unknown, options: unknown, message: RegExp][] = [
    ['a key', 7, () => 1, undefined, /^key must be/],
    ['a loader', 'key', 'value', undefined, /^loader must be a function, received "value"/],
    ['a loader', 'key', undefined, undefined, /^loader must be a function, received undefined/],
    ['a ttl', 'key', () => 1, { ttl: 0 }, /^ttl must be/],
    ['a signal', 'key', () => 1, { signal: {} }, /^signal must be an AbortSignal/],
    ['options', 'key', () => 1, null, /^options must be an object/],
  ]

  it.each(bad)('%s: getOrRefill rejects and does not throw', async (_what, key, loader, options, message) => {
    const cache = createCacheOn({ ttl: 1000 }, new FakeClock(), new FakeRandom())
    const call = cache.getOrRefill(key as string, loader as () => number, options as CallOptions<number>)
    await expect(call).rejects.toThrow(message)
    expect(cache.stats()).toMatchObject({ misses: 0, flights: 0, entries: 0 })
  })

  it('rejects them on a hit as well', async () => {
    const cache = createCacheOn({ ttl: 1000 }, new FakeClock(), new FakeRandom())
    await cache.getOrRefill('key', () => 1)
    await expect(cache.getOrRefill('key', () => 1, { ttl: -1 })).rejects.toThrow(/^ttl must be/)
    await expect(cache.get('key', { ttl: -1 })).rejects.toThrow(/^ttl must be/)
  })

  it.each([
    ['get', ['key', { version: '' }]],
    ['set', ['key', 1, { version: '' }]],
    ['invalidate', ['key', { version: '' }]],
    ['examine', ['key', { version: '' }]],
    ['getOrRefill', ['key', (): number => 1, { version: '' }]],
    ['getOrRefillMany', [['key'], (): Map<string, number> => new Map(), { version: '' }]],
  ] as const)('%s rejects an odd version by name', async (method, given) => {
    const cache = createCacheOn({ ttl: 1000 }, new FakeClock(), new FakeRandom())
    const call = (cache[method] as (...given: readonly unknown[]) => Promise<unknown>)(...given)
    await expect(call).rejects.toThrow(/^version must be a non-empty string or a finite number, received ""/)
    expect(() => cache.peek('key', { version: '' })).toThrow(/^version must be/)
  })

  it.each([
    ['invalidate', undefined, /^keys? must be/],
    ['invalidate', 7, /^keys? must be/],
    ['invalidate', ['a', ''], /^keys? must be/],
    ['invalidate', [null], /^keys? must be/],
    ['invalidateTags', undefined, /^tags? must be/],
    ['invalidateTags', [''], /^tags? must be/],
    ['set', '', /^key must be/],
    ['get', null, /^key must be/],
  ] as const)('%s(%o) rejects by name', async (method, argument, message) => {
    const cache = createCacheOn({ ttl: 1000 }, new FakeClock(), new FakeRandom())
    const call = (cache[method] as (argument: unknown, value?: unknown) => Promise<unknown>)(argument, 1)
    await expect(call).rejects.toThrow(message)
  })

  it('on refuses a listener that is none, and wrap makes a call that rejects for a bad key', async () => {
    const cache = createCacheOn({ ttl: 1000 }, new FakeClock(), new FakeRandom())
    expect(() => cache.on('hit', 'listener' as unknown as () => void)).toThrow(/^listener must be a function/)
    const load = cache.wrap(() => 1, { key: () => undefined as unknown as string })
    await expect(load()).rejects.toThrow(/^key must be/)
  })
})
