import { AssertionError } from 'node:assert'
import type { Cache } from '../cache/cache.ts'
import type { BatchLoader } from '../cache/refill/batch.ts'
import type { Loader } from '../cache/refill/loader-context.ts'

/** One run of a loader. Times are ms of virtual time since the testbed was made. */
export interface SeenLoad {
  /** The key that the caller used; in a namespace, its name and `/` precede it. */
  readonly key: string
  readonly startedAt: number
  /** `undefined` while it runs. */
  readonly endedAt: number | undefined
}

/** One call of `getOrRefill`. */
export interface SeenCall {
  readonly key: string
  readonly startedAt: number
  /** `undefined` while it waits. */
  readonly answeredAt: number | undefined
}

type Written<T> = { -readonly [name in keyof T]: T[name] }

/** Records the calls of the caches of a testbed, and when loaders run. */
export class Witness {
  readonly #now: () => number
  #loads: Written<SeenLoad>[] = []
  #calls: Written<SeenCall>[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  /** Watches a cache of a process, as long as the process lives. `path`: the namespaces that lead to it. */
  watch(cache: Cache, isAlive: () => boolean, path = ''): Cache {
    const { getOrRefill, getOrRefillMany, namespace } = cache
    const methods: Partial<Cache> = {
      getOrRefill: <V>(key: string, loader: Loader<V>, options?: object): Promise<V> => {
        const seen = typeof loader === 'function' ? this.#seen(path + key, loader, isAlive) : loader
        return this.#timed([path + key], getOrRefill(key, seen, options), isAlive)
      },
      getOrRefillMany: <V>(keys: readonly string[], loader: BatchLoader<V>, options?: object) => {
        const named = (some: readonly string[]): string[] => some.map((key) => path + key)
        const load: BatchLoader<V> = (missing, context) =>
          this.#loading(named(missing), () => loader(missing, context), isAlive)
        const seen = typeof loader === 'function' ? load : loader
        return this.#timed(Array.isArray(keys) ? named(keys) : [], getOrRefillMany(keys, seen, options), isAlive)
      },
      namespace: (name) => this.watch(namespace(name), isAlive, `${path}${name}/`),
    }
    for (const [name, value] of Object.entries(methods)) Object.defineProperty(cache, name, { value })
    return cache
  }

  loads(key?: string): SeenLoad[] {
    return this.#loads.filter((load) => key === undefined || load.key === key)
  }

  calls(key?: string): SeenCall[] {
    return this.#calls.filter((call) => key === undefined || call.key === key)
  }

  /** Forgets what has ended. */
  forget(): void {
    this.#loads = this.#loads.filter(({ endedAt }) => endedAt === undefined)
    this.#calls = this.#calls.filter(({ answeredAt }) => answeredAt === undefined)
  }

  /** Drops what belongs to a process that is gone. */
  abandon(isAlive: () => boolean): void {
    for (const { whose, end } of this.#open) if (whose === isAlive) end()
  }

  assertOneLoad(key: string): void {
    const { length } = this.loads(key)
    const started = this.loads(key).map(({ startedAt }) => `${startedAt} ms`)
    if (length === 1) return
    const message = `expected one load of ${JSON.stringify(key)}, saw ${length}${length > 0 ? ` (at ${started.join(', ')})` : ''}`
    throw new AssertionError({ message, actual: length, expected: 1, operator: 'assertOneLoad' })
  }

  assertLongestWait(ms: number, key?: string): void {
    const now = this.#now()
    const wait = (call: SeenCall): number => (call.answeredAt ?? now) - call.startedAt
    const late = this.calls(key).filter((call) => wait(call) > ms)
    if (late.length === 0) return
    const longest = late.reduce((most, call) => (wait(call) > wait(most) ? call : most))
    const state = longest.answeredAt === undefined ? ', and still waits' : ''
    const message = `expected every call to be answered within ${ms} ms; ${late.length} took longer, one for ${JSON.stringify(longest.key)} ${wait(longest)} ms${state}`
    throw new AssertionError({ message, actual: wait(longest), expected: ms, operator: 'assertLongestWait' })
  }

  /** Waiting calls and running loads, in words. */
  pending(): string[] {
    const waiting = this.#calls.filter(({ answeredAt }) => answeredAt === undefined)
    const loading = this.#loads.filter(({ endedAt }) => endedAt === undefined)
    return [
      ...waiting.map(({ key }) => `a call for ${JSON.stringify(key)} waits`),
      ...loading.map(({ key }) => `a loader of ${JSON.stringify(key)} runs`),
    ]
  }

  /** What has started and not ended, and which process it belongs to. */
  readonly #open = new Set<{ readonly whose: () => boolean; end(): void }>()

  #seen<V>(key: string, loader: Loader<V>, isAlive: () => boolean): Loader<V> {
    return (context) => this.#loading([key], () => loader(context), isAlive)
  }

  #loading<R>(keys: readonly string[], load: () => R, whose: () => boolean): R {
    const loads = keys.map((key): Written<SeenLoad> => ({ key, startedAt: this.#now(), endedAt: undefined }))
    this.#loads.push(...loads)
    const end = this.#opened(whose, () => {
      for (const each of loads) each.endedAt ??= this.#now()
    })
    try {
      const result = load()
      if (result instanceof Promise) result.then(end, end)
      else end()
      return result
    } catch (error) {
      end()
      throw error
    }
  }

  #timed<R>(keys: readonly string[], answer: Promise<R>, whose: () => boolean): Promise<R> {
    const calls = keys.map((key): Written<SeenCall> => ({ key, startedAt: this.#now(), answeredAt: undefined }))
    this.#calls.push(...calls)
    const end = this.#opened(whose, () => {
      for (const each of calls) each.answeredAt ??= this.#now()
    })
    answer.then(end, end)
    return new Promise((resolve, reject) => {
      // Nobody in a process that is gone gets the result.
      answer.then(
        (value) => whose() && resolve(value),
        (reason: unknown) => whose() && reject(reason as Error),
      )
    })
  }

  #opened(whose: () => boolean, close: () => void): () => void {
    const open = {
      whose,
      end: () => {
        this.#open.delete(open)
        close()
      },
    }
    this.#open.add(open)
    return open.end
  }
}
