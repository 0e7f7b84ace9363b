import { describe, expect, it, onTestFinished } from 'vitest'
import { createCache } from '../../src/index.ts'
import { Locker } from '../../src/lock.ts'
import { cacheLab, warmUp } from '../support/cache-lab.ts'
import { deferred } from '../support/deferred.ts'
import { FOREIGN_CONTROLLERS } from '../support/foreign-signals.ts'

const lab = cacheLab()

describe.each(FOREIGN_CONTROLLERS)('a signal of %s', (_what, create) => {
  it.each(['with', 'without'])('ends the waiting of its caller alone, %s Redis', async (redis) => {
    const cache = redis === 'with' ? lab.cache({}) : createCache({ ttl: 1000 })
    onTestFinished(() => cache.close())
    if (redis === 'with') await warmUp(lab.redis, cache)
    const controller = create()
    const load = deferred<number>()
    const began = deferred()
    const loader = (): Promise<number> => {
      began.resolve()
      return load.promise
    }
    const patient = cache.getOrRefill('key', loader)
    const leaving = cache.getOrRefill('key', loader, { signal: controller.signal })
    await began.promise
    controller.abort()
    await expect(leaving).rejects.toMatchObject({ name: 'AbortError' })
    load.resolve(1)
    expect(await patient).toBe(1)
    expect(controller.listeners).toBe(0)
    for (const key of ['key', 'other']) {
      const late = cache.getOrRefill(key, loader, { signal: controller.signal })
      await expect(late).rejects.toMatchObject({ name: 'AbortError' })
    }
  })

  it('ends the load when nobody else waits for it, and leaves no listener where it never aborts', async () => {
    const cache = createCache({ ttl: 1000 })
    onTestFinished(() => cache.close())
    const controller = create()
    const given = deferred<AbortSignal>()
    const leaving = cache.getOrRefill(
      'key',
      ({ signal }) => {
        given.resolve(signal)
        return new Promise<number>(() => {})
      },
      { signal: controller.signal },
    )
    const signal = await given.promise
    controller.abort()
    await expect(leaving).rejects.toMatchObject({ name: 'AbortError' })
    expect(signal.reason).toMatchObject({ name: 'AbortError' })
    const quiet = create()
    expect(await cache.getOrRefill('other', () => 1, { signal: quiet.signal })).toBe(1)
    await expect.poll(() => quiet.listeners).toBe(0)
  })

  it('ends the waiting for a lock', async () => {
    const key = `${lab.prefix}-lock`
    const locker = new Locker({ clients: lab.client() })
    lab.atEnd(() => locker.close())
    const held = await locker.tryAcquire(key, 10_000, { signal: create().signal })
    const controller = create()
    const waiting = locker.acquire(key, 10_000, { signal: controller.signal })
    await expect.poll(() => controller.listeners).toBeGreaterThan(0)
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    expect(controller.listeners).toBe(0)
    await expect(locker.acquire(key, 1000, { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' })
    await expect(locker.prepare({ signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' })
    await held.release()
  })
})
