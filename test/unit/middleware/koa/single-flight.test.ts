import { expect, test } from 'vitest'

import { createCache } from '../../../../src/cache/create-cache.ts'
import { createKoaFlight, singleFlight } from '../../../../src/middleware/koa/single-flight.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'
import { koaContext } from '../support/koa-context.ts'

test('options that cannot be honoured are refused at once', () => {
  expect(() => singleFlight({ ttl: 0 })).toThrow('ttl must be a whole number of milliseconds, 1 or more, received 0')
})

test('closing closes a cache of its own, and leaves open one that was given', async () => {
  const own = singleFlight()
  await own.close()
  await expect(own.cache.set('key', 'value')).rejects.toThrow('closed')
  const cache = createCache({ ttl: 1000 })
  const given = singleFlight({ cache })
  await given.close()
  expect(given.cache).toBe(cache)
  await cache.set('key', 'value')
  await cache.close()
})

test('a second one on the way leaves the work to the first; the options of both count', async () => {
  const doors = { clock: new FakeClock(), random: new FakeRandom() }
  const [outer, inner] = [createKoaFlight({}, doors), createKoaFlight({ ttl: 60_000 }, doors)]
  const ask = async () => {
    const context = koaContext()
    await outer(context, () => inner(context, async () => void (context.body = 'page')))
    return context
  }
  await ask()
  await expect.poll(async () => (await ask()).response.get('cache-status')).toContain('; hit')
  await Promise.all([outer.close(), inner.close()])
})

test('an error of its functions is Koa’s to answer', async () => {
  const flight = singleFlight({ bypass: () => 'no' as never })
  await expect(flight(koaContext(), async () => {})).rejects.toThrow('the result of bypass must be a boolean')
  await flight.close()
})
