import { expect, it } from 'vitest'
import { Locker } from '../../../src/lock.ts'
import type { RedisClient } from '../../../src/redis/clients/port-of.ts'

/** Fails the test that makes it send anything. */
function silentClient(): RedisClient {
  const refuse = (): never => {
    throw new Error('a command was sent')
  }
  return {
    options: {},
    createBuiltinCommand: refuse,
    duplicate: refuse,
    on: () => {},
    off: () => {},
    disconnect: refuse,
  }
}

const locker = new Locker({ clients: silentClient() }) as unknown as Record<'tryAcquire' | 'acquire', LooseCall>
type LooseCall = (key: unknown, ttl: unknown, options?: unknown) => Promise<unknown>

const wrong: [what: string, call: unknown[], error: typeof TypeError, message: RegExp][] = [
  ['no key', [undefined, 1000], TypeError, /^key must be a non-empty string, received undefined$/],
  ['key null', [null, 1000], TypeError, /^key .* received null$/],
  ['key a number', [7, 1000], TypeError, /^key .* received 7$/],
  ['key an object', [{}, 1000], TypeError, /^key .* received an object$/],
  ['key a symbol', [Symbol('key'), 1000], TypeError, /^key .* received a symbol$/],
  ['key empty', ['', 1000], RangeError, /^key .* received ""$/],
  ['key with a lone surrogate', ['a\ud800', 1000], RangeError, /^key must be a string without lone surrogates/],
  ['no ttl', ['key', undefined], TypeError, /^ttl must be a whole number of milliseconds above 0, received undefined$/],
  ['ttl a string', ['key', '10s'], TypeError, /^ttl .* received "10s"$/],
  ['ttl 0', ['key', 0], RangeError, /^ttl .* received 0$/],
  ['ttl negative', ['key', -1], RangeError, /^ttl .* received -1$/],
  ['ttl NaN', ['key', NaN], RangeError, /^ttl .* received NaN$/],
  ['ttl a fraction', ['key', 0.5], RangeError, /^ttl .* received 0.5$/],
  ['ttl -Infinity', ['key', -Infinity], RangeError, /^ttl .* received -Infinity$/],
  ['options null', ['key', 1000, null], TypeError, /^options must be an object, received null$/],
  [
    'signal a controller',
    ['key', 1000, { signal: new AbortController() }],
    TypeError,
    /^signal must be an AbortSignal/,
  ],
  ['fencing a number', ['key', 1000, { fencing: 1 }], TypeError, /^fencing must be a boolean, received 1$/],
  ['autoExtend a string', ['key', 1000, { autoExtend: 'yes' }], TypeError, /^autoExtend must be a boolean/],
]

it.each(wrong)('refuses %s before any command', async (_, [key, ttl, options], type, message) => {
  for (const operation of ['tryAcquire', 'acquire'] as const) {
    const error = await locker[operation](key, ttl, options).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(type)
    expect((error as Error).message).toMatch(message)
  }
})

it('refuses to be made without a client, with a stranger, or with one client twice', () => {
  const client = silentClient()
  const make = (options: unknown) => () => new Locker(options as { clients: RedisClient })
  expect(make({ clients: [] })).toThrow(RangeError)
  expect(make({ clients: [client, client] })).toThrow(RangeError)
  expect(make({ clients: undefined })).toThrow(TypeError)
  expect(make({ clients: {} })).toThrow(TypeError)
  expect(make(undefined)).toThrow(TypeError)
  expect(make({ clients: client, commandTimeout: 0 })).toThrow(/^commandTimeout/)
  for (const yieldAfter of [0, -1, 0.5, NaN, '2s', null]) {
    expect(make({ clients: client, yieldAfter })).toThrow(/^yieldAfter must be a whole number of milliseconds above 0/)
  }
  make({ clients: client, yieldAfter: Infinity })()
  expect(make({ clients: client, redactKey: 'none' })).toThrow(/^redactKey must be a function/)
})

it('refuses a function that is none', async () => {
  const call = locker as unknown as { withLock: (...args: unknown[]) => Promise<unknown> }
  await expect(call.withLock('key', 1000, undefined)).rejects.toThrow(/^fn must be a function, received undefined$/)
})
