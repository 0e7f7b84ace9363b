import { expect, test } from 'vitest'

import { createCache } from '../../../src/cache/create-cache.ts'
import { Locker } from '../../../src/lock/locker.ts'
import { lockerOf } from '../../../src/nestjs/locker-of.ts'

test('without a Redis every use of the locks says what is missing, and closing does nothing', async () => {
  const cache = createCache({ ttl: 1000 })
  for (const options of [{ cache: { ttl: 1000 } }, { cache }]) {
    const locker = lockerOf(options)
    expect(locker).toBeInstanceOf(Locker)
    const uses = [
      locker.prepare(),
      locker.tryAcquire('key', 1000),
      locker.acquire('key', 1000),
      locker.withLock('key', 1000, () => {}),
    ]
    for (const { reason } of (await Promise.allSettled(uses)) as PromiseRejectedResult[]) {
      expect(String(reason)).toBe('TypeError: redis must be given to HerdlockModule for locks, received undefined')
    }
    await locker.close()
  }
  await cache.close()
})

test('options that are none are refused', () => {
  expect(() => lockerOf({ cache: { ttl: 1000 }, locker: { clients: [] } })).toThrow('clients')
})
