import { type } from 'arktype'
import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { createCache, type AnyCache, type Cache, type CallOptions, type TypedCache } from '../../../../src/index.ts'

interface User {
  name: string
}
const zod = z.object({ name: z.string() })
const valibot = v.object({ name: v.string() })
const ark = type({ name: 'string' })
const loadAnything = (): Promise<unknown> => Promise.resolve({ name: 'Ada' })

// That this compiles is the test.
test('values have the type that the schema of a call says', async () => {
  const cache = createCache({ ttl: 1000 })
  expectTypeOf(cache).toEqualTypeOf<Cache>()
  expectTypeOf(await cache.getOrRefill('zod', loadAnything, { schema: zod })).toEqualTypeOf<User>()
  expectTypeOf(await cache.getOrRefill('valibot', loadAnything, { schema: valibot })).toEqualTypeOf<User>()
  expectTypeOf(await cache.getOrRefill('ark', loadAnything, { schema: ark })).toEqualTypeOf<User>()
  const json = (): Promise<any> => Promise.resolve({ name: 'Ada' }) // oxlint-disable-line no-explicit-any -- as of fetch
  expectTypeOf(await cache.getOrRefill('json', json, { schema: zod, ttl: 10 })).toEqualTypeOf<User>()
  await cache.getOrRefill(
    'stale',
    ({ stale }) => {
      expectTypeOf(stale).toEqualTypeOf<User | undefined>()
      return stale ?? { name: 'Ada' }
    },
    { schema: zod },
  )
  const many = await cache.getOrRefillMany(['a'], () => new Map<string, unknown>(), { schema: zod })
  expectTypeOf(many).toEqualTypeOf<Map<string, User>>()
  expectTypeOf(await cache.get('zod', { schema: zod })).toEqualTypeOf<User | undefined>()
  await cache.set('zod', { name: 'Ada' }, { schema: zod })
  // @ts-expect-error -- not what the schema takes
  await expect(cache.set('zod', { name: 1 }, { schema: zod })).rejects.toThrow('not valid')
  const wrapped = cache.wrap((id: number, _how: 'all'): unknown => ({ name: `${id}` }), {
    key: (id, how) => `${how} ${id}`,
    schema: ark,
  })
  expectTypeOf(wrapped).toEqualTypeOf<(id: number, _how: 'all') => Promise<User>>()
  await cache.close()
})

test('the value is what the schema takes, not what it would make of it', async () => {
  const cache = createCache({ ttl: 1000 })
  const schema = z.object({ at: z.string().transform((text) => text.length), name: z.string().default('Ada') })
  const loaded = await cache.getOrRefill('key', () => ({ at: 'now' }), { schema })
  expectTypeOf(loaded).toEqualTypeOf<{ at: string; name?: string | undefined }>()
  expect(loaded).toEqual({ at: 'now' })
  await cache.close()
})

test('a cache with a schema has values of that type alone', async () => {
  const users = createCache({ ttl: 1000, schema: zod })
  expectTypeOf(users).toEqualTypeOf<TypedCache<User>>()
  expectTypeOf(users).toExtend<AnyCache>()
  expectTypeOf(await users.getOrRefill('key', loadAnything)).toEqualTypeOf<User>()
  expectTypeOf(await users.getOrRefill('key', ({ stale }) => stale?.name)).toEqualTypeOf<User>()
  expectTypeOf(await users.getOrRefillMany(['key'], () => new Map())).toEqualTypeOf<Map<string, User>>()
  expectTypeOf(users.peek('key')).toEqualTypeOf<User | undefined>()
  expectTypeOf(await users.get('key')).toEqualTypeOf<User | undefined>()
  expectTypeOf(users.wrap(loadAnything, { key: () => 'key' })).toEqualTypeOf<() => Promise<User>>()
  // @ts-expect-error -- not what the schema takes
  await expect(users.set('key', { name: 1 })).rejects.toThrow('not valid')
  await users.close()
})

test('without a schema nothing changes', async () => {
  const cache = createCache({ ttl: 1000 })
  expectTypeOf(await cache.getOrRefill('key', () => 1)).toEqualTypeOf<number>()
  expectTypeOf(await cache.getOrRefill('key', () => 1, { ttl: 10 })).toEqualTypeOf<number>()
  const options: CallOptions<number> = { ttl: 10 }
  expectTypeOf(await cache.getOrRefill('key', async () => 1, options)).toEqualTypeOf<number>()
  expectTypeOf(await cache.getOrRefillMany(['key'], () => new Map([['key', 1]]))).toEqualTypeOf<Map<string, number>>()
  const wrapped = cache.wrap((n: number) => n, { key: String })
  expectTypeOf(wrapped).toEqualTypeOf<(n: number) => Promise<number>>()
  await cache.close()
})
