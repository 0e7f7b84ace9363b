import type { Random } from '../../src/random.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const TOKEN_LENGTH = 22

/** Chance that repeats itself: the same seed gives the same numbers and tokens (mulberry32). */
export class FakeRandom implements Random {
  #state: number
  #forced: number[] = []

  constructor(seed = 1) {
    this.#state = seed
  }

  uniform(): number {
    return this.#forced.shift() ?? this.#step()
  }

  token(): string {
    return Array.from({ length: TOKEN_LENGTH }, () => ALPHABET[Math.floor(this.#step() * ALPHABET.length)]).join('')
  }

  /** The next calls of `uniform` return these; tokens are not affected. */
  force(...values: number[]): void {
    this.#forced.push(...values)
  }

  #step(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
