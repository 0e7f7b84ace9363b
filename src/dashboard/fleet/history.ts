import type { AnyCache } from '../../cache/cache.ts'
import type { FleetLine } from '../../cache/watch/inside.ts'
import type { Clock, Timer } from '../../clock.ts'
import type { Sample } from '../report.ts'

/** ms of one step, and for how long a step is kept. */
const STEP = 10_000
const KEPT = 3_600_000
/** ms after the end of a step, at most, in which processes write it. */
const SPREAD = 2000
/** Steps that are asked for at once. */
const AT_ONCE = 60

const COUNTS = ['hits', 'staleHits', 'misses', 'coalesced', 'refills', 'refillFailures'] as const
type Counted = Record<(typeof COUNTS)[number], number>

/**
 * Adds what one process has counted in a step to what all have, and keeps it by itself, too.
 * KEYS: the step. ARGV: id of the process, ms to keep the step, the counts in the order of COUNTS. Replies with nothing.
 */
const WRITE_STEP = `
for i = 3, #ARGV do
  redis.call('HINCRBY', KEYS[1], tostring(i - 3), ARGV[i])
end
redis.call('HSET', KEYS[1], 'p' .. ARGV[1], table.concat(ARGV, ' ', 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
`

/** A ring in Redis: of each step of the last hour what one cache has done, in each process and in all. */
export class History {
  readonly #line: FleetLine
  readonly #path: string
  readonly #clock: Clock

  constructor(line: FleetLine, path: string, clock: Clock) {
    this.#line = line
    this.#path = path
    this.#clock = clock
  }

  /** From now on what the cache does is written, until the returned function is called. `share`: in [0, 1), when. */
  record(cache: AnyCache, share: number): () => void {
    let before: Counted = cache.stats()
    let timer: Timer | undefined
    const write = (): void => {
      schedule()
      const now = cache.stats()
      const counts = COUNTS.map((name) => now[name] - before[name])
      before = now
      // If it is lost, a step is: the next one says nothing of it.
      if (counts.some((count) => count !== 0)) this.#write(this.#stepAt() - 1, counts).catch(() => {})
    }
    const schedule = (): void => {
      const delay = STEP - (this.#clock.wallNow() % STEP) + share * SPREAD
      timer = this.#clock.setTimeout(write, delay, { keepAlive: false })
    }
    schedule()
    return () => timer?.cancel()
  }

  /** What is known of that process, or without one of all; the oldest first. Rejects with Redis's error. */
  async read(process: string | undefined): Promise<Sample[]> {
    const last = this.#stepAt()
    const steps = Array.from({ length: KEPT / STEP }, (_, i) => last - KEPT / STEP + 1 + i)
    const samples: Sample[] = []
    for (let i = 0; i < steps.length; i += AT_ONCE) {
      const found = steps.slice(i, i + AT_ONCE).map((step) => this.#read(step, process))
      for (const sample of await Promise.all(found)) if (sample !== undefined) samples.push(sample)
    }
    return samples
  }

  async #write(step: number, counts: readonly number[]): Promise<void> {
    await this.#line.command('eval', WRITE_STEP, 1, this.#key(step), this.#line.address, KEPT, ...counts)
  }

  async #read(step: number, process: string | undefined): Promise<Sample | undefined> {
    const fields = process === undefined ? COUNTS.map((_, i) => String(i)) : [`p${process}`]
    const reply = (await this.#line.command('hmget', this.#key(step), ...fields)) as (string | null)[]
    const counts = process === undefined ? reply : (reply[0]?.split(' ') ?? [null])
    if (typeof counts[0] !== 'string') return undefined
    const told = Object.fromEntries(COUNTS.map((name, i) => [name, Number(counts[i])])) as Counted
    return { ...told, at: (step + 1) * STEP, span: STEP }
  }

  #stepAt(): number {
    return Math.floor(this.#clock.wallNow() / STEP)
  }

  #key(step: number): string {
    return `${this.#line.prefix}:history:${this.#path}:${step}`
  }
}
