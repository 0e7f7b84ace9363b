import { setTimeout as delay } from 'node:timers/promises'
import { context, metrics, SpanStatusCode, trace, type Attributes, type Tracer } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type MetricData,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { Locker } from '../../src/lock/locker.ts'
import { instrument, type InstrumentOptions } from '../../src/opentelemetry/instrument.ts'
import { cacheLab, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'

const lab = cacheLab()
const spans = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
let tracer: Tracer

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(tracerProvider)
  tracer = trace.getTracer('app')
})
afterAll(async () => {
  await tracerProvider.shutdown()
  trace.disable()
  context.disable()
})
beforeEach(() => spans.reset())

function instrumented(options: InstrumentOptions = {}): void {
  onTestFinished(instrument(options))
}

/** The span of that name, once it has ended. */
async function ended(name: string, attributes: Attributes = {}): Promise<ReadableSpan> {
  const isIt = (span: ReadableSpan): boolean =>
    span.name === name && Object.entries(attributes).every(([key, value]) => span.attributes[key] === value)
  await eventually(`a span ${name} has ended`, () => spans.getFinishedSpans().some(isIt))
  return spans.getFinishedSpans().find(isIt) as ReadableSpan
}

function inRequest<T>(handle: () => Promise<T>): Promise<T> {
  return tracer.startActiveSpan('request', async (span) => {
    try {
      return await handle()
    } finally {
      span.end()
    }
  })
}

describe('spans', () => {
  test('of a refill, its claim and what its loader does hang below the caller’s', async () => {
    const cache = lab.cache({ name: 'users' })
    await warmUp(lab.redis, cache)
    instrumented()
    await inRequest(() =>
      cache.getOrRefill('user:1', async () => {
        await delay(1)
        tracer.startSpan('query').end()
        return 1
      }),
    )
    const [request, refill, claim, query] = await Promise.all(
      ['request', 'herdlock.refill', 'herdlock.claim', 'query'].map((name) => ended(name)),
    )
    expect(refill?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
    expect(claim?.parentSpanContext?.spanId).toBe(refill?.spanContext().spanId)
    expect(query?.parentSpanContext?.spanId).toBe(refill?.spanContext().spanId)
    expect(refill?.attributes).toEqual({
      'herdlock.cache.name': 'users',
      'herdlock.key': 'user:1',
      'herdlock.refill.background': false,
      'herdlock.refill.outcome': 'loaded',
    })
    expect(claim?.attributes).toMatchObject({ 'herdlock.claim.state': 'leased' })
    expect(refill?.status.code).toBe(SpanStatusCode.UNSET)
  })

  test('of a refill in the background begin a trace that is linked to the caller’s', async () => {
    const cache = lab.cache({ ttl: 1, staleWhileRevalidate: 60_000 })
    await warmUp(lab.redis, cache)
    await cache.getOrRefill('key', () => 1)
    await settled(cache)
    await delay(10) // until the entry is stale
    instrumented()
    await inRequest(() => cache.getOrRefill('key', () => 2))
    const refill = await ended('herdlock.refill', { 'herdlock.refill.background': true })
    const request = await ended('request')
    expect(refill.parentSpanContext).toBeUndefined()
    expect(refill.links.map((link) => link.context.spanId)).toEqual([request.spanContext().spanId])
    const claim = await ended('herdlock.claim')
    expect(claim.spanContext().traceId).toBe(refill.spanContext().traceId)
  })

  test('of refills that failed say of what type the error was, and more only if that is wanted', async () => {
    const cache = lab.cache()
    const failing = (): Promise<never> => Promise.reject(new TypeError('about user:1'))
    const stop = instrument()
    await cache.getOrRefill('key', failing).catch(() => {})
    const refill = await ended('herdlock.refill')
    expect(refill.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(refill.attributes).toMatchObject({ 'herdlock.refill.outcome': 'failed', 'error.type': 'TypeError' })
    expect(refill.events).toEqual([])
    stop()
    spans.reset()
    instrumented({ recordExceptions: true })
    await cache.getOrRefill('key', failing).catch(() => {})
    const { events } = await ended('herdlock.refill')
    expect(events[0]).toMatchObject({ name: 'exception', attributes: { 'exception.message': 'about user:1' } })
  })

  test('of refills that failed by what cannot be looked at say so much', async () => {
    const cache = lab.cache()
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    instrumented({ recordExceptions: true })
    await Promise.allSettled([cache.getOrRefill('key', () => Promise.reject(proxy))])
    const { attributes, events } = await ended('herdlock.refill')
    expect(attributes).toMatchObject({ 'error.type': 'object' })
    expect(events[0]).toMatchObject({ attributes: { 'exception.message': 'it cannot be printed' } })
  })

  test('of lock acquisitions say whether they waited and what came of it', async () => {
    const locker = new Locker({ clients: lab.client() })
    lab.atEnd(() => locker.close())
    instrumented()
    await inRequest(async () => {
      const lock = await locker.acquire('lock', 10_000)
      await locker.tryAcquire('lock', 10_000).catch(() => {})
      await lock.release()
    })
    const request = await ended('request')
    const acquired = await ended('herdlock.lock.acquire', { 'herdlock.lock.outcome': 'acquired' })
    const refused = await ended('herdlock.lock.acquire', { 'herdlock.lock.outcome': 'refused' })
    expect([acquired, refused].map(({ attributes }) => attributes['herdlock.lock.waiting'])).toEqual([true, false])
    for (const span of [acquired, refused]) {
      expect(span.parentSpanContext?.spanId).toBe(request.spanContext().spanId)
      expect(span.status.code).toBe(SpanStatusCode.UNSET)
    }
  })

  test('call keys what the cache says, and are no more after the stop', async () => {
    const cache = lab.cache({ redactKey: (key) => key.replace(/\d+/, '*') })
    const stop = instrument()
    await cache.getOrRefill('user:1', () => 1)
    const refill = await ended('herdlock.refill')
    expect(refill.attributes['herdlock.key']).toBe('user:*')
    await settled(cache)
    stop()
    spans.reset()
    await cache.getOrRefill('user:2', () => 1)
    await settled(cache)
    expect(spans.getFinishedSpans()).toEqual([])
  })
})

describe('metrics', () => {
  function newMeter(): { meterProvider: MeterProvider; read(): Promise<Map<string, MetricData>> } {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    // Read on demand: the interval is never over.
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })
    const meterProvider = new MeterProvider({ readers: [reader] })
    onTestFinished(() => meterProvider.shutdown())
    return {
      meterProvider,
      async read() {
        exporter.reset()
        await meterProvider.forceFlush()
        const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
        return new Map(scopes.flatMap((scope) => scope.metrics).map((metric) => [metric.descriptor.name, metric]))
      },
    }
  }

  function valueOf(metric: MetricData | undefined, attributes: Attributes): unknown {
    const points = metric?.dataPoints.filter((point) =>
      Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
    )
    expect(points).toHaveLength(1)
    return points?.[0]?.value
  }

  test('count requests by result and tier, and read the state of the cache', async () => {
    const cache = lab.cache({ name: 'users', memory: { maxBytes: 10_000 } })
    await warmUp(lab.redis, cache)
    const { meterProvider, read } = newMeter()
    instrumented({ caches: [cache], meterProvider })
    await Promise.all([1, 2].map(() => cache.getOrRefill('key', () => 'value')))
    await settled(cache)
    await cache.getOrRefill('key', () => 'value')
    const told = await read()
    const requests = (attributes: Attributes): unknown =>
      valueOf(told.get('herdlock.cache.requests'), { 'herdlock.cache.name': 'users', ...attributes })
    expect(requests({ 'herdlock.cache.result': 'hit', 'herdlock.cache.tier': 'memory' })).toBe(1)
    expect(requests({ 'herdlock.cache.result': 'coalesced' })).toBe(1)
    expect(requests({ 'herdlock.cache.result': 'miss' })).toBe(2) // the one of the warm-up too
    expect(valueOf(told.get('herdlock.cache.entries'), {})).toBe(2)
    expect(valueOf(told.get('herdlock.cache.size'), {})).toBeGreaterThan(5)
    expect(valueOf(told.get('herdlock.redis.breaker'), { 'herdlock.redis.breaker.state': 'closed' })).toBe(1)
    expect(told.get('herdlock.cache.requests')?.descriptor.unit).toBe('{request}')
  })

  test('tell of a limit to loads, where there is one', async () => {
    const { meterProvider, read } = newMeter()
    instrumented({ caches: [lab.cache({ maxLoads: 2 }), lab.cache({ name: 'unlimited' })], meterProvider })
    const told = await read()
    for (const what of ['running', 'waiting', 'refused']) {
      expect(valueOf(told.get(`herdlock.cache.loads.${what}`), {})).toBe(0)
    }
  })

  test('measure loaders, claims and locks in seconds', async () => {
    const cache = lab.cache({ name: 'users' })
    const locker = new Locker({ clients: lab.client() })
    lab.atEnd(() => locker.close())
    const { meterProvider, read } = newMeter()
    instrumented({ meterProvider })
    await cache.getOrRefill('good', () => delay(10))
    await cache.getOrRefill('bad', () => Promise.reject(new RangeError('no'))).catch(() => {})
    await settled(cache)
    await locker.withLock('lock', 10_000, () => {})
    const told = await read()
    const loads = told.get('herdlock.loader.duration')
    expect(loads?.descriptor.unit).toBe('s')
    expect(valueOf(loads, { 'error.type': 'RangeError' })).toMatchObject({ count: 1 })
    const durations = loads?.dataPoints.map(({ value }) => value as { sum: number })
    const longest = Math.max(...(durations ?? []).map(({ sum }) => sum))
    expect(longest).toBeGreaterThan(0.005)
    expect(longest).toBeLessThan(5)
    expect(valueOf(told.get('herdlock.claim.duration'), { 'herdlock.claim.state': 'leased' })).toMatchObject({
      count: 2,
    })
    expect(valueOf(told.get('herdlock.lock.acquire.duration'), {})).toMatchObject({ count: 1 })
    expect(valueOf(told.get('herdlock.lock.held.duration'), { 'herdlock.lock.outcome': 'released' })).toMatchObject({
      count: 1,
    })
  })

  test('are no more after the stop', async () => {
    const cache = lab.cache()
    const { meterProvider, read } = newMeter()
    instrument({ caches: [cache], meterProvider })()
    await cache.getOrRefill('key', () => 1)
    const points = [...(await read()).values()].map(({ dataPoints }) => dataPoints.length)
    expect(points.every((count) => count === 0)).toBe(true)
  })
})

test('without an SDK nothing is recorded and nothing fails', async () => {
  instrumented({ tracerProvider: trace.getTracerProvider(), meterProvider: metrics.getMeterProvider() })
  const cache = createCache({ ttl: 1000 })
  onTestFinished(() => cache.close())
  expect(await cache.getOrRefill('key', () => 1)).toBe(1)
})

test.each([
  ['no options', null, /^options must be an object/],
  ['what is no cache', { caches: [{}] }, /^caches must be an array of caches/],
  ['a cache that is not in an array', { caches: createCache({ ttl: 1 }) }, /^caches must be an array of caches/],
  ['an odd recordExceptions', { recordExceptions: 'yes' }, /^recordExceptions must be a boolean/],
])('instrument refuses %s', (_what, options, message) => {
  expect(() => instrument(options as never)).toThrow(message)
})
