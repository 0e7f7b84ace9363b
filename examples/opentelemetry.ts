// How do I see in OpenTelemetry what the cache did for a request, and how often it answered by itself?
//
// Look at: the spans of a refill, below the span of the request that caused it, and the counts at the end.
// Run: npm run example examples/opentelemetry.ts
// With a Redis: REDIS_URL=redis://127.0.0.1:6379 npm run example examples/opentelemetry.ts
//
// An application would set up @opentelemetry/sdk-node and an exporter for its collector; here both are kept in memory.
import { setTimeout as delay } from 'node:timers/promises'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { createCache } from 'herdlock'
import { instrument } from 'herdlock/opentelemetry'
import { Redis } from 'ioredis'

// The SDK, as an application starts it before everything else.
const spans = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 60_000 })
const meterProvider = new MeterProvider({ readers: [reader] })
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
trace.setGlobalTracerProvider(tracerProvider)

const url = process.env['REDIS_URL']
const redis = url === undefined ? undefined : new Redis(url)
const cache = createCache({
  ttl: 60_000,
  name: 'users',
  prefix: `example-${process.pid}`,
  redactKey: (key) => key.replace(/\d+/, '*'),
  redis,
})

// One call: spans of all caches and lockers of the process, metrics of the caches that are named.
const stop = instrument({ caches: [cache], meterProvider })

const tracer = trace.getTracer('app')
const loadUser = async (): Promise<{ name: string }> => {
  const query = tracer.startSpan('SELECT users')
  await delay(20)
  query.end()
  return { name: 'Ada' }
}
await tracer.startActiveSpan('GET /users/1', async (request) => {
  await Promise.all(Array.from({ length: 100 }, () => cache.getOrRefill('user:1', loadUser)))
  request.end()
})
await cache.getOrRefill('user:1', loadUser) // a hit in memory: no span
do await delay(1)
while (cache.stats().flights > 0) // the refill's span ends when its value is stored

const finished = spans.getFinishedSpans()
const print = (parent: string | undefined, indent: string): void => {
  for (const span of finished.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent)) {
    const { 'herdlock.key': key, 'herdlock.refill.outcome': outcome } = span.attributes
    console.log([indent + span.name, key, outcome].filter((part) => part !== undefined).join(' '))
    print(span.spanContext().spanId, `${indent}  `)
  }
}
print(undefined, '')

await meterProvider.forceFlush()
for (const { descriptor, dataPoints } of metrics
  .getMetrics()
  .flatMap(({ scopeMetrics }) => scopeMetrics[0]?.metrics ?? [])) {
  if (descriptor.name !== 'herdlock.cache.requests') continue
  for (const { attributes, value } of dataPoints) {
    const { 'herdlock.cache.result': result, 'herdlock.cache.tier': tier } = attributes
    const what = [result, tier].filter((part) => typeof part === 'string').join(' ')
    if (value !== 0) console.log(descriptor.name, what, value)
  }
}

stop()
await cache.clear()
await cache.close()
await redis?.quit()
await meterProvider.shutdown()
await tracerProvider.shutdown()
console.log('closed')
