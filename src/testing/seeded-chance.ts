import { systemRandom, type Random } from '../random.ts'

/**
 * Random numbers that repeat with the seed (mulberry32). Tokens do not repeat, because testbeds that share a Redis must
 * differ.
 */
export function seededChance(seed: number): Random {
  let state = seed | 0
  return {
    uniform() {
      state = (state + 0x6d2b79f5) | 0
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
    },
    token: () => systemRandom.token(),
  }
}
