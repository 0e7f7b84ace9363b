import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createCache } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import type { ProducerContext, StreamOptions } from '../../../src/cache/stream/options.ts'
import type { Plan, StreamSetup } from '../../support/stream-process.ts'
import { parent, ready } from '../../support/worker-side.ts'

/** A process with a cache of its own that reads the stream `key`, and produces it when it is its turn. */
const setup = JSON.parse(process.argv[2] as string) as StreamSetup
const redis = new Redis(setup.url)
redis.on('error', () => {})
const cache = createCache({ ...(setup.options as CacheOptions), redis, prefix: setup.prefix })
process.on('unhandledRejection', (error) => parent.send({ type: 'unhandled', message: String(error) }))

async function* produce(
  { count, every, isSilent = false }: Plan,
  { resumeFrom, signal }: ProducerContext,
): AsyncGenerator<string> {
  parent.send({ type: 'producing', resumeFrom })
  signal.addEventListener('abort', () => parent.send({ type: 'aborted', reason: (signal.reason as Error).name }))
  if (isSilent) await new Promise(() => {})
  for (let i = resumeFrom; i < count; i++) {
    yield `${process.pid}:${i}`
    await delay(every)
  }
}

async function read(id: number, plan: Plan, options: StreamOptions): Promise<void> {
  const type = `reader ${id}`
  try {
    for await (const chunk of cache.stream(plan.key ?? 'key', (context) => produce(plan, context), options)) {
      parent.send({ type, chunk })
    }
    parent.send({ type })
  } catch (error) {
    parent.send({ type, error: (error as Error).name })
  }
}

process.on('message', (message: { type: string; id: number; plan: Plan; options: StreamOptions }) => {
  if (message.type === 'read') void read(message.id, message.plan, message.options)
})

// Warm: connections are open, scripts are loaded, the inbox listens.
await cache.getOrRefill(`warm-up ${process.pid}`, () => 'warm')
while (cache.stats().redis[0]?.messages !== 'connected') await delay(5)
ready()
