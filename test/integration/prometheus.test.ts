import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { Counter, register, Registry } from 'prom-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { OverloadedError } from '../../src/errors.ts'
import { singleFlight } from '../../src/middleware/node/single-flight.ts'
import { collect } from '../../src/prometheus/collect.ts'
import { listen } from '../http/support/serve.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { parseScrape, type Scraped, valueOf } from '../support/parse-scrape.ts'

const lab = cacheLab()

/** What Prometheus gets: the text of a real response. */
async function scrape(registry: Registry<never>): Promise<Scraped> {
  const server = createServer((_request, response) => {
    void registry.metrics().then((text) => {
      response.setHeader('Content-Type', registry.contentType)
      response.end(text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`)
    return parseScrape(await response.text())
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

function collected(cache: Cache, name?: string): Registry<never> {
  const registry = new Registry() as Registry<never>
  onTestFinished(collect(cache, { registry, name }))
  return registry
}

test('a scrape tells how calls were answered, from which tier, and how long loads took', async () => {
  const cache = lab.cache({ name: 'users', memory: { maxBytes: 10_000 } })
  await warmUp(lab.redis, cache)
  const registry = collected(cache)
  await Promise.all([1, 2, 3].map(() => cache.getOrRefill('key', () => 'value')))
  await settled(cache)
  await cache.getOrRefill('key', () => 'value')
  await cache.getOrRefill('bad', () => Promise.reject(new Error('no'))).catch(() => {})
  const told = await scrape(registry)

  const requests = (result: string, tier: string): number | undefined =>
    valueOf(told, 'herdlock_cache_requests_total', { cache: 'users', result, tier })
  expect(requests('miss', 'none')).toBe(3) // the one of the warm-up too
  expect(requests('coalesced', 'none')).toBe(2)
  expect(requests('hit', 'memory')).toBe(1)
  expect(requests('hit', 'redis')).toBe(0)
  expect(valueOf(told, 'herdlock_loader_duration_seconds_count', { cache: 'users' })).toBe(3)
  expect(valueOf(told, 'herdlock_loader_duration_seconds_bucket', { cache: 'users', le: '+Inf' })).toBe(3)
  expect(valueOf(told, 'herdlock_loader_failures_total', { cache: 'users' })).toBe(1)
  expect(valueOf(told, 'herdlock_cache_entries', { cache: 'users' })).toBe(2)
  expect(valueOf(told, 'herdlock_cache_bytes', { cache: 'users' })).toBeGreaterThan(5)
  const redis = `127.0.0.1:${lab.redis.port}`
  expect(valueOf(told, 'herdlock_redis_breaker', { cache: 'users', redis, state: 'closed' })).toBe(1)
  expect(valueOf(told, 'herdlock_redis_breaker', { cache: 'users', redis, state: 'open' })).toBe(0)
  expect(valueOf(told, 'herdlock_redis_errors_total', { cache: 'users', redis })).toBe(0)
})

test('responses that a middleware does not share are counted', async () => {
  const cache = lab.cache({ name: 'pages' })
  const registry = collected(cache)
  const flight = singleFlight({ cache })
  const { url } = await listen(
    createServer((req, res) =>
      flight(req, res, () => {
        res.setHeader('Cache-Control', 'private')
        res.end('yours')
      }),
    ),
  )
  for (let n = 0; n < 2; n++) expect(await (await fetch(url)).text()).toBe('yours')
  expect(valueOf(await scrape(registry), 'herdlock_cache_unshared_responses_total', { cache: 'pages' })).toBe(2)
})

test('buckets grow to the count, in seconds', async () => {
  const cache = lab.cache({ name: 'users' })
  const registry = collected(cache)
  for (let n = 0; n < 5; n++) await cache.getOrRefill(`key ${n}`, () => n)
  const told = await scrape(registry)
  const buckets = told.samples.filter(({ name }) => name === 'herdlock_loader_duration_seconds_bucket')
  expect(buckets.map(({ labels }) => labels['le'])).toEqual(
    expect.arrayContaining(['0.001', '0.0025', '0.1', '1', '30', '+Inf']),
  )
  const values = buckets.map(({ value }) => value)
  expect(values).toEqual(values.toSorted((one, other) => one - other))
  expect(values.at(-1)).toBe(5)
})

test('a limit to loads is told of: what runs, what stands in line, what was refused', async () => {
  const cache = lab.cache({ name: 'users', maxLoads: 1, waitTimeout: 1000 })
  const registry = collected(cache)
  const load = gatedLoad<string>()
  const first = cache.getOrRefill('first', load.loader)
  await load.started
  const refused = expect(cache.getOrRefill('second', () => 'second')).rejects.toThrow(OverloadedError)
  const limits = async (): Promise<unknown[]> => {
    const told = await scrape(registry)
    return ['running', 'waiting', 'refused_total'].map((what) => valueOf(told, `herdlock_cache_loads_${what}`, {}))
  }
  await eventually('it stands in line', async () => String(await limits()) === '1,1,0')
  await refused
  expect(await limits()).toEqual([1, 0, 1])
  load.gate.resolve('first')
  expect(await first).toBe('first')
  expect(samplesOfLimit(await scrape(collected(lab.cache({ name: 'unlimited' }))))).toEqual([])
})

function samplesOfLimit({ samples }: Scraped): unknown[] {
  return samples.filter(({ name }) => name.startsWith('herdlock_cache_loads_'))
}

describe('the registry', () => {
  test('tells of every cache once, by name, until its collecting stops', async () => {
    const registry = new Registry() as Registry<never>
    const [one, other] = [lab.cache({ name: 'one' }), lab.cache({ name: 'other' })]
    const stop = collect(one, { registry })
    collect(other, { registry, name: 'second' })
    expect(() => collect(one, { registry })).toThrow(/^name must differ/)
    const cachesIn = ({ samples }: Scraped): Set<string | undefined> =>
      new Set(samples.map(({ labels }) => labels['cache']))
    expect(cachesIn(await scrape(registry))).toEqual(new Set(['one', 'second']))
    stop()
    expect(cachesIn(await scrape(registry))).toEqual(new Set(['second']))
  })

  test('may be cleared, reset, read as JSON, and hold metrics of others', async () => {
    const cache = lab.cache({ name: 'users' })
    const registry = collected(cache)
    await cache.getOrRefill('key', () => 1)
    registry.resetMetrics()
    expect(valueOf(await scrape(registry), 'herdlock_cache_requests_total', { result: 'miss' })).toBe(1)
    const names = (await registry.getMetricsAsJSON()).map(({ name }) => name)
    expect(names).toContain('herdlock_cache_requests_total')
    registry.clear()
    onTestFinished(collect(lab.cache({ name: 'new' }), { registry }))
    const own = new Counter({ name: 'own_total', help: 'own', registers: [registry] })
    own.inc()
    const told = await scrape(registry)
    expect(valueOf(told, 'own_total', {})).toBe(1)
    expect(valueOf(told, 'herdlock_cache_requests_total', { cache: 'new', result: 'miss' })).toBe(0)
  })

  test('may speak OpenMetrics', async () => {
    const cache = lab.cache({ name: 'users' })
    const registry = collected(cache)
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
    await cache.getOrRefill('key', () => 1)
    for (let time = 0; time < 2; time++) {
      const told = await scrape(registry)
      expect(valueOf(told, 'herdlock_cache_requests_total', { result: 'miss' })).toBe(1)
      expect(told.types.get('herdlock_cache_requests')).toBe('counter')
    }
  })

  test("is prom-client's own by default", async () => {
    const stop = collect(lab.cache({ name: 'in the global one' }))
    onTestFinished(() => register.clear())
    expect(await register.metrics()).toContain('cache="in the global one"')
    stop()
    expect(await register.metrics()).not.toContain('in the global one')
  })
})

test.each([
  ['a cache', undefined, {}, /^cache must be a cache/],
  ['options', createCache({ ttl: 1 }), null, /^options must be an object/],
  ['a registry', createCache({ ttl: 1 }), { registry: {} }, /^registry must be a Registry of prom-client/],
  ['a name', createCache({ ttl: 1 }), { name: 7 }, /^name must be a string/],
])('collect refuses what is not %s', (_what, cache, options, message) => {
  expect(() => collect(cache as never, options as never)).toThrow(message)
})
