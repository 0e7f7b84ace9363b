import type { CacheOptions } from '../../src/cache/options.ts'
import { LIBRARIES, type Library } from '../support/clients-by-library.ts'
import type { FakeRandom } from '../support/fake-random.ts'

/** What one process of a run is started with. */
export interface ChaosSetup {
  /** By which it is told from others, also from those that had its place before. */
  readonly name: string
  /** Its place, by which it owns keys, and how many there are. */
  readonly place: number
  readonly places: number
  readonly seed: number
  readonly library: Library
  readonly client: object
  /** Where it finds Redis. */
  readonly port: number
  readonly originUrl: string
  readonly keys: number
  readonly callers: number
  /** Of streams. */
  readonly readers: number
  /** Whether any process of the run may store what may be served stale. */
  readonly mayBeStale: boolean
  readonly options: Omit<CacheOptions, 'redis'>
}

/** Keys of a name and number, each with the tag of its number modulo PROCESSES. */
export const KEYS = 12
export const PREFIX = 'chaos'
export const PROCESSES = 4
/** ms that a loader runs at most. */
export const LONGEST_LOAD = 60
/** How many chunks each stream has. Every second one may be resumed. */
export const STREAM_LENGTHS: readonly number[] = [5, 60, 25, 12]
/** ms between two chunks at most. */
export const LONGEST_STEP = 30
const LOCK_TTLS = [1500, 3000]
const TTLS = [300, 1500, 60_000]

const pick = <T>(random: FakeRandom, choices: readonly T[]): T =>
  choices[Math.floor(random.uniform() * choices.length)] as T
export const between = (random: FakeRandom, least: number, most: number): number =>
  Math.floor(least + random.uniform() * (most - least))

/**
 * Whether caches of a run may serve what is stale. An entry has the windows of the process that stored it, so this holds for
 * all processes of a run.
 */
export const drawStaleness = (random: FakeRandom): boolean => random.uniform() < 0.6

/** Options of a cache, whatever a user may have chosen. */
export function drawOptions(random: FakeRandom, mayBeStale: boolean): Omit<CacheOptions, 'redis'> {
  const memory = pick(random, [
    ...[false, {}, { maxEntries: 4 }, { tracking: true }, { unsyncedTtl: 200 }, { messages: 'held' }],
    { messages: 'held', unsyncedTtl: 200 },
  ] as const)
  return {
    prefix: PREFIX,
    ttl: pick(random, TTLS),
    lockTtl: pick(random, LOCK_TTLS),
    commandTimeout: pick(random, [300, 1000]),
    memory,
    jitter: pick(random, [0, 0.3]),
    staleWhileRevalidate: pick(random, mayBeStale ? [0, 0, 1000] : [0]),
    staleIfError: pick(random, mayBeStale ? [0, 2000] : [0]),
    failureTtl: pick(random, [0, 0, 100]),
    softTimeout: pick(random, [0, 0, 20]),
    ...(random.uniform() < 0.3 && { earlyExpiration: { beta: 1 } }),
  }
}

/** A client, likewise. Each place has its library, so that all take part. */
export function drawClient(random: FakeRandom, place: number): { library: Library; client: object } {
  const library = LIBRARIES[place % LIBRARIES.length] as Library
  const ofIoredis = [
    {},
    { enableAutoPipelining: true },
    { enableOfflineQueue: false },
    { enableReadyCheck: false },
    { autoResendUnfulfilledCommands: false },
    { lazyConnect: true },
    { commandTimeout: 500 },
  ]
  const ofNodeRedis = [{}, { disableOfflineQueue: true }, { RESP: 3 }, { commandOptions: { timeout: 500 } }]
  if (library === 'GLIDE') return { library, client: {} }
  return { library, client: pick<object>(random, library === 'node-redis' ? ofNodeRedis : ofIoredis) }
}
