import type { Clock } from '../../clock.ts'
import type { Exchange } from './exchange.ts'

/** Offers after which requests are answered the quick way again, and ms after which every request donates. */
const ENOUGH = 8
const PATIENCE = 1000

interface Wanted {
  readonly take: (exchange: Exchange) => void
  readonly since: number
  offers: number
}

/**
 * Background refills that need a response that is sent and closed. Each takes the first one among several offers: a client
 * that reads slowly must not hold up the refill.
 */
export class ResponseDonors {
  readonly #wanted = new Map<string, Wanted>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  want(key: string, take: (exchange: Exchange) => void): void {
    this.#wanted.set(key, { take, since: this.#clock.now(), offers: 0 })
  }

  served(key: string): void {
    this.#wanted.delete(key)
  }

  /** Whether the refill of `key` can use one more. */
  areWanted(key: string): boolean {
    const wanted = this.#wanted.get(key)
    return wanted !== undefined && (wanted.offers < ENOUGH || this.#clock.now() - wanted.since > PATIENCE)
  }

  /** Offers an exchange that is being answered, or that can only run its handler for its own client. */
  offer(key: string, exchange: Exchange): void {
    const wanted = this.#wanted.get(key)
    if (wanted === undefined) return
    wanted.offers++
    wanted.take(exchange)
  }
}
