import { randomBytes } from 'node:crypto'

/** Chance enters only here, so that tests control it. */
export interface Random {
  /** Uniform in [0, 1). For jitter and early expiration, never for secrets. */
  uniform(): number
  /** 128 random bits in 22 characters of `A-Z a-z 0-9 - _`. They cannot be guessed. */
  token(): string
}

const TOKEN_BYTES = 16
const POOL_BYTES = 256 * TOKEN_BYTES
let pool: Buffer = Buffer.alloc(0)
let used = 0

export const systemRandom: Random = {
  uniform: Math.random,
  // One call of the operating system's generator serves 256 tokens, because a call for each costs more than the rest of a
  // lock.
  token() {
    if (used === pool.length) {
      pool = randomBytes(POOL_BYTES)
      used = 0
    }
    used += TOKEN_BYTES
    return pool.toString('base64url', used - TOKEN_BYTES, used)
  },
}
