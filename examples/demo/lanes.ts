// What the two lanes of the demo's page count, and the slow thing behind each.
import { setTimeout as delay } from 'node:timers/promises'
import type { Response } from 'express'

/** ms that a query takes, and how many the database runs at a time: more have to queue, as everywhere. */
const QUERY_TIME = 400
const CONNECTIONS = 25

/** A slow database. It counts its queries. */
class Database {
  queries = 0
  #free = CONNECTIONS
  readonly #queue: (() => void)[] = []

  async query(): Promise<{ madeOn: number }> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#queue.push(resolve))
    else this.#free--
    this.queries++
    await delay(QUERY_TIME)
    const next = this.#queue.shift()
    if (next === undefined) this.#free++
    else next()
    return { madeOn: Date.now() }
  }
}

/** As the page is told of it. */
export interface LaneState {
  /** Requests that wait for their answer now. */
  readonly waiting: number
  readonly answered: number
  /** Runs of the handler's query. */
  readonly runs: number
  /** ms from the first request to the last answer so far. */
  readonly took: number
  /** ms that the slowest answer took. */
  readonly slowest: number
}

export class Lane {
  #database = new Database()
  #waiting = 0
  #answered = 0
  #slowest = 0
  #startedAt = 0
  #endedAt = 0

  /** Before the next stampede. */
  reset(): void {
    this.#database = new Database()
    this.#answered = this.#slowest = this.#startedAt = this.#endedAt = 0
  }

  /** The slow part of a handler. */
  query(): Promise<{ madeOn: number }> {
    return this.#database.query()
  }

  /** Counts a request until its answer is out. */
  follow(response: Response): void {
    const arrivedAt = performance.now()
    this.#startedAt ||= arrivedAt
    this.#waiting++
    response.once('close', () => {
      this.#waiting--
      this.#answered++
      this.#endedAt = performance.now()
      this.#slowest = Math.max(this.#slowest, this.#endedAt - arrivedAt)
    })
  }

  get state(): LaneState {
    const until = this.#waiting > 0 ? performance.now() : this.#endedAt
    return {
      waiting: this.#waiting,
      answered: this.#answered,
      runs: this.#database.queries,
      took: Math.round(until - this.#startedAt),
      slowest: Math.round(this.#slowest),
    }
  }
}
