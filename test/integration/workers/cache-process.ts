import { Redis } from 'ioredis'
import { createCache } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { parent, ready } from '../../support/worker-side.ts'
import type { ProcessCall, ProcessSetup } from '../../support/cache-process.ts'
import { deferred } from '../../support/deferred.ts'

/**
 * A process with a cache of its own that does as it is told. Its loader counts its runs in Redis, where all processes
 * count together, tells of each, and takes as long as it is told, which may be until it is told to go on.
 */
const setup = JSON.parse(process.argv[2] as string) as ProcessSetup
const redis = new Redis(setup.url)
const counter = new Redis(setup.counterUrl)
redis.on('error', () => {})
const whole = createCache({ ...(setup.options as CacheOptions), redis, prefix: setup.prefix })
whole.on('error', ({ error }) => parent.send({ type: 'error', message: String(error) }))
whole.on('lease-lost', ({ key }) => parent.send({ type: `lease-lost ${key}` }))
process.on('unhandledRejection', (error) => parent.send({ type: 'unhandled', message: String(error) }))

const goes = new Map<string, () => void>()

async function load(call: ProcessCall, signal: AbortSignal): Promise<string> {
  const run = await counter.incr(`${setup.prefix}:runs:${call.key}`)
  signal.addEventListener('abort', () => {
    parent.send({ type: `aborted ${call.key}`, reason: (signal.reason as Error).name })
  })
  parent.send({ type: `loading ${call.key}`, run })
  if (call.blockFor !== undefined) {
    // As a loader that computes: nothing else runs in this process.
    for (const end = performance.now() + call.blockFor; performance.now() < end;);
  }
  if (call.until === 'for ever') await new Promise(() => {})
  if (call.until === 'told') {
    const go = deferred()
    goes.set(call.key, go.resolve)
    await go.promise
  }
  if (call.fails) throw new Error(`${call.value ?? 'failure'} of run ${run}`)
  return `${call.value ?? 'value'} of run ${run}`
}

async function perform(call: ProcessCall): Promise<unknown> {
  const cache = call.namespace === undefined ? whole : whole.namespace(call.namespace)
  switch (call.method) {
    case 'getOrRefill': {
      const ask = (): Promise<string> => cache.getOrRefill(call.key, ({ signal }) => load(call, signal), call.options)
      const values = await Promise.all(Array.from({ length: call.callers ?? 1 }, ask))
      return [...new Set(values)].join()
    }
    case 'get':
      return cache.get(call.key)
    case 'peek':
      return cache.peek(call.key)
    case 'set':
      return cache.set(call.key, call.value, call.options)
    case 'invalidate':
      return cache.invalidate(call.key)
    case 'clear':
      return cache.clear()
    case 'stats':
      return cache.stats()
    case 'wallNow':
      return Date.now()
    case 'close':
      // What is left must let the process end by itself.
      await whole.close()
      redis.disconnect()
      counter.disconnect()
      return 'closed'
  }
}

async function answer(call: ProcessCall): Promise<void> {
  const startedAt = performance.now()
  try {
    const value = await perform(call)
    parent.send({ type: `answer ${call.id}`, value: value ?? null, took: performance.now() - startedAt })
  } catch (error) {
    const { name, message } = error as Error
    parent.send({ type: `answer ${call.id}`, error: { name, message }, took: performance.now() - startedAt })
  }
  if (call.method === 'close') process.disconnect()
}

process.on('message', (message: { type: string; call?: ProcessCall; key?: string }) => {
  if (message.type === 'call') void answer(message.call as ProcessCall)
  if (message.type === 'go') goes.get(message.key as string)?.()
})

// Warm: connections are open, scripts are loaded, the inbox listens.
await whole.getOrRefill(`warm-up ${process.pid}`, () => 'warm')
while (whole.stats().flights > 0) await new Promise((resolve) => setTimeout(resolve, 5))
await whole.invalidate(`warm-up ${process.pid}`)
await counter.ping()
ready()
