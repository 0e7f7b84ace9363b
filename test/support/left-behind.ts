import { expect } from 'vitest'
import type { RedisServer } from './redis-server.ts'

/** Of a counter or an instant that must outlive its entries Redis keeps a small key, which expires by itself. */
const EXPIRING = /^herdlock:fence:|^[\w-]+:tag:|^[\w-]+:changes$/

/** Fails if there are keys in Redis that nobody will ever take away. */
export async function expectNothingLeft(redis: RedisServer): Promise<void> {
  const keys = (await redis.command('KEYS', '*')) as string[]
  expect(keys.map(String).filter((key) => !EXPIRING.test(key))).toEqual([])
}
