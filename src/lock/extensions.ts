import { Batches } from '../redis/batches.ts'
import { isCrossSlot } from '../redis/client-error.ts'
import type { Connection } from '../redis/connection.ts'
import { asList } from '../redis/reply.ts'
import { lockExtend } from '../redis/scripts/lock-extend.ts'

/** Most locks in one call of the script. More would keep Redis from serving others for too long. */
const LARGEST_BATCH = 500

/** What is to be done to one lock. */
export interface Extension {
  readonly key: string
  readonly token: string
  readonly ttl: number
  readonly shortens: boolean
}

interface Pending extends Extension {
  resolve(isHeld: boolean): void
  reject(error: unknown): void
}

/**
 * Extends the locks of one Redis. Extensions of one turn travel together, because thousands of leases may fall due at the
 * same time.
 */
export class Extensions {
  readonly #connection: Connection
  readonly #batches: Batches<Pending>

  constructor(connection: Connection) {
    this.#connection = connection
    this.#batches = new Batches({
      send: (batch) => this.#send(batch),
      largest: () => (connection.splitsKeys ? 1 : LARGEST_BATCH),
    })
  }

  /**
   * Resolves with whether the lock belonged to the token and now has `ttl` ms left, or more unless the extension may
   * shorten.
   */
  add(extension: Extension): Promise<boolean> {
    return new Promise((resolve, reject) => this.#batches.add({ ...extension, resolve, reject }))
  }

  async #send(batch: readonly Pending[]): Promise<void> {
    const { splitsKeys } = this.#connection
    const keys = batch.map(({ key }) => key)
    try {
      const reply = asList(await this.#connection.run(lockExtend, keys, batch.flatMap(argumentsOf)), batch.length)
      for (const [i, { resolve }] of batch.entries()) resolve(Number(reply[i]) === 1)
    } catch (error) {
      // The Redis turns out to be sharded: from now on each extension is sent separately.
      if (isCrossSlot(error) && !splitsKeys) for (const each of batch) this.#batches.add(each)
      else for (const { reject } of batch) reject(error)
    }
  }
}

/** ARGV of the script for one lock. */
export function argumentsOf({ token, ttl, shortens }: Extension): (string | number)[] {
  return [token, ttl, shortens ? '1' : '0']
}
