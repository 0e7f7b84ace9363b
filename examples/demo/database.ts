// The slow thing behind every handler of the demo: a database that answers so many queries at a time.
import { setTimeout as delay } from 'node:timers/promises'

/** More queries than it has connections for have to queue, as everywhere. It counts those that it has begun. */
export class Database {
  queries = 0
  readonly #queryTime: number
  #free: number
  readonly #queue: (() => void)[] = []

  /** `connections`: queries at a time; `queryTime`: ms that each takes. */
  constructor(connections: number, queryTime: number) {
    this.#free = connections
    this.#queryTime = queryTime
  }

  async query(): Promise<{ madeOn: number }> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#queue.push(resolve))
    else this.#free--
    this.queries++
    await delay(this.#queryTime)
    const next = this.#queue.shift()
    if (next === undefined) this.#free++
    else next()
    return { madeOn: Date.now() }
  }
}
