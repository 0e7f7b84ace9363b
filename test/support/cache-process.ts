import type { CacheOptions, CallOptions } from '../../src/cache/options.ts'
import type { CacheLab } from './cache-lab.ts'
import { startWorkers, stopWorkers, type Worker } from './workers.ts'

/** What a process of `workers/cache-process.ts` is started with. */
export interface ProcessSetup {
  /** Where its cache finds Redis; may lead through a proxy. */
  url: string
  /** Where its loader counts its runs. */
  counterUrl: string
  prefix: string
  options: Partial<CacheOptions>
}

/** One thing that such a process is told to do. */
export interface ProcessCall {
  id: number
  method: 'getOrRefill' | 'get' | 'peek' | 'set' | 'invalidate' | 'clear' | 'stats' | 'wallNow' | 'close'
  key: string
  /** In which namespace of its cache. */
  namespace?: string
  options?: CallOptions<string>
  /** What `set` sets, or what the loader's value begins with. */
  value?: string
  callers?: number
  /** How long the loader takes. Default: no time. */
  until?: 'told' | 'for ever'
  /** ms for which the loader blocks its process first. */
  blockFor?: number
  fails?: boolean
}

export interface Answer {
  value?: unknown
  error?: { name: string; message: string }
  /** ms, measured there. */
  took: number
}

/** A process with a cache of its own, which can be killed, frozen and told what to do. */
export interface CacheProcess extends Worker {
  call(method: ProcessCall['method'], key: string, rest?: Omit<ProcessCall, 'id' | 'method' | 'key'>): Promise<Answer>
  /** Lets the loader of `key` go on. */
  go(key: string): void
}

let lastId = 0

/** Starts processes that use that Redis and prefix, with `env` in addition to this one's; with `atEnd` they end with the test, if not earlier. */
export async function startCacheProcesses(
  { redis, prefix, atEnd }: Pick<CacheLab, 'redis' | 'prefix'> & Partial<Pick<CacheLab, 'atEnd'>>,
  count: number,
  { options = {}, env = {}, ...more }: Partial<ProcessSetup> & { env?: NodeJS.ProcessEnv } = {},
): Promise<CacheProcess[]> {
  const { url } = redis
  const setup = { url, counterUrl: url, prefix, options: { ttl: 60_000, ...options }, ...more }
  const workers = await startWorkers('cache-process', count, [JSON.stringify(setup)], env)
  atEnd?.(() => stopWorkers(workers))
  return workers.map((worker) => ({
    ...worker,
    async call(method, key, rest) {
      const id = ++lastId
      worker.send({ type: 'call', call: { id, method, key, ...rest } })
      return (await worker.next(`answer ${id}`)) as unknown as Answer
    },
    go: (key) => worker.send({ type: 'go', key }),
  }))
}
