import type { CacheOptions } from '../../src/cache/options.ts'

/** What a process of `workers/cache-soak.ts` is started with. */
export interface SoakSetup {
  seed: number
  /** Which of the processes this is, and of how many. */
  index: number
  processes: number
  /** The cache's Redis, by way of the proxy. */
  url: string
  /** The Redis that plays the origin and knows the truth. */
  originUrl: string
  prefix: string
  keys: number
  /** Callers at a time. */
  callers: number
  options: Omit<CacheOptions, 'redis' | 'prefix'>
  /** ms after which every process must know of a change. */
  grace: number
}

/** What such a process holds, at a moment when all garbage is collected. */
export interface SoakFootprint {
  pid: number
  /** Bytes of its heap. */
  heap: number
  /** What keeps it alive, counted by kind: sockets, timers and the like. */
  handles: Record<string, number>
  /** Listeners on its client and on the process. */
  listeners: number
}

/** What such a process has seen. */
export interface SoakReport {
  calls: number
  changes: number
  aborted: number
  /** ms that the slowest call took. */
  slowest: number
  wrong: string[]
}
