// What the two lanes of the demo's page count, and the slow thing behind each.
import type { Response } from 'express'
import { Database } from './database.ts'

/** ms that a query takes, and how many the database runs at a time: more have to queue, as everywhere. */
const QUERY_TIME = 400
const CONNECTIONS = 25

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
  #database = new Database(CONNECTIONS, QUERY_TIME)
  #waiting = 0
  #answered = 0
  #slowest = 0
  #startedAt = 0
  #endedAt = 0

  /** Before the next stampede. */
  reset(): void {
    this.#database = new Database(CONNECTIONS, QUERY_TIME)
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
