import type { CacheOptions } from '../../src/cache/options.ts'
import type { StreamOptions } from '../../src/cache/stream/options.ts'
import type { CacheLab } from './cache-lab.ts'
import { startWorkers, stopWorkers, type Worker } from './workers.ts'

/** What a process of `workers/stream-process.ts` is started with. */
export interface StreamSetup {
  readonly url: string
  readonly prefix: string
  readonly options: Partial<CacheOptions>
}

/** What its producer does: yields `pid:number` every so many ms, to so many in all. */
export interface Plan {
  readonly count: number
  readonly every: number
  /** Whether it yields nothing at all. */
  readonly isSilent?: boolean
  /** Default `key`. */
  readonly key?: string
}

/** How the reading of a stream went. */
export interface Told {
  readonly chunks: readonly string[]
  /** Name of the error that it ended with, if it did. */
  readonly error?: string
}

/** A process with a cache of its own, which can be killed and frozen. */
export interface StreamProcess extends Worker {
  read(plan: Plan, options?: StreamOptions): RemoteReader
}

export interface RemoteReader {
  /** Resolves with the next chunk; `undefined`: the stream has ended or failed. */
  next(): Promise<string | undefined>
  /** Resolves when the stream has ended or failed. */
  end(): Promise<Told>
}

/** So many, each of which is there. */
type Several<T, N extends number> = N extends 1 ? [T] : N extends 2 ? [T, T] : N extends 3 ? [T, T, T] : T[]

let lastId = 0

/** Starts processes that use that Redis and prefix. They end with the test, if not earlier. */
export async function startStreamProcesses<N extends number>(
  { redis, prefix, atEnd }: CacheLab,
  count: N,
  options: Partial<CacheOptions> = {},
): Promise<Several<StreamProcess, N>> {
  const setup: StreamSetup = { url: redis.url, prefix, options: { ttl: 60_000, ...options } }
  const workers = await startWorkers('stream-process', count, [JSON.stringify(setup)])
  atEnd(() => stopWorkers(workers))
  const read =
    (worker: Worker) =>
    (plan: Plan, more: StreamOptions = {}) =>
      readerIn(worker, plan, more)
  return workers.map((worker) => ({ ...worker, read: read(worker) })) as Several<StreamProcess, N>
}

function readerIn(worker: Worker, plan: Plan, options: StreamOptions): RemoteReader {
  const id = ++lastId
  const chunks: string[] = []
  let end: Told | undefined
  worker.send({ type: 'read', id, plan, options })
  const next = async (): Promise<string | undefined> => {
    if (end !== undefined) return undefined
    const { chunk, error } = await worker.next(`reader ${id}`)
    if (typeof chunk === 'string') chunks.push(chunk)
    else end = { chunks, ...(typeof error === 'string' ? { error } : {}) }
    return chunk as string | undefined
  }
  return {
    next,
    async end() {
      while ((await next()) !== undefined);
      return end as Told
    },
  }
}
