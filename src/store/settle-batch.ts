import { RedisTimeoutError } from '../errors.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { Connection } from '../redis/connection.ts'
import type { EntryKeys } from '../redis/entry-keys.ts'
import { asList } from '../redis/reply.ts'
import { settle } from '../redis/scripts/settle.ts'
import { Batches } from '../redis/batches.ts'
import { AGAIN } from './notice.ts'
import type { RedisClock } from './redis-clock.ts'

/** The end of one refill. */
export interface Settlement {
  readonly keys: EntryKeys
  /** The queue of those who wait for the lease as for a lock. */
  readonly queue: string
  readonly token: string
  /** Whether the lease has run out by our clock: it is still good while nobody has taken it. */
  readonly hasRunOut: boolean
  /** ms until the stored bytes expire, 0 to store nothing. */
  readonly storeFor: number
  readonly bytes: Buffer | ''
  /** ms of ttl, staleWhileRevalidate and staleIfError, as the script reads them. */
  readonly life: string
  /** What waiters are sent; '' for the bytes. */
  readonly notice: Buffer | string
}

/** Whether the refill could still be ended; `false` also where a tag forbade it. */
interface Pending extends Settlement {
  resolve(isDone: boolean): void
  reject(error: unknown): void
}

/** Ends of refills in one call of the script, and bytes; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 200
const LARGEST_BYTES = 1024 * 1024

const DONE = 1
const TOO_LATE = 3

/** Ends refills; those of one tick travel together. */
export class SettleBatches {
  readonly #connection: Connection
  readonly #redisClock: RedisClock
  readonly #tagKeys: () => string
  readonly #batches: Batches<Pending>

  /** `tagKeys`: what the keys of tags begin with, '' where scripts leave them alone. */
  constructor(connection: Connection, redisClock: RedisClock, tagKeys: () => string) {
    this.#connection = connection
    this.#redisClock = redisClock
    this.#tagKeys = tagKeys
    this.#batches = new Batches({
      send: (batch) => this.#send(batch),
      largest: () => (connection.splitsKeys ? 1 : LARGEST_BATCH),
      size: { of: ({ bytes, notice }) => bytes.length + notice.length, largest: LARGEST_BYTES },
    })
  }

  /** Resolves with whether the lease was still good for it; rejects with Redis's error. */
  add(settlement: Settlement): Promise<boolean> {
    return new Promise((resolve, reject) => this.#batches.add({ ...settlement, resolve, reject }))
  }

  async #send(batch: readonly Pending[]): Promise<void> {
    try {
      const late = await this.#try(batch)
      // Our idea of Redis's clock was wrong: a suspended host has it. It is right now.
      const tooLate = late.length === 0 ? late : await this.#try(late)
      const { label, commandTimeout } = this.#connection
      for (const each of tooLate) each.reject(new RedisTimeoutError(label, commandTimeout))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  /** Answers with those for which it was too late. */
  async #try(batch: readonly Pending[]): Promise<readonly Pending[]> {
    const keys: string[] = []
    const args: (string | number | Buffer)[] = [this.#tagKeys(), countsSubscribers(this.#connection), AGAIN]
    const deadline = this.#redisClock.deadlineIn(this.#connection.commandTimeout)
    for (const { keys: own, queue, token, hasRunOut, storeFor, bytes, life, notice } of batch) {
      keys.push(own.value, own.lease, own.waiters, own.last, queue)
      args.push(token, storeFor, bytes, life, own.value, notice, storeFor > 0 ? deadline : '', hasRunOut ? '1' : '')
    }
    const asked = this.#redisClock.ask()
    const reply = await this.#connection.run(settle, keys, args)
    const [now, ...outcomes] = asList(reply, batch.length + 1).map(Number)
    asked((now as number) / 1000)
    return batch.filter((each, i) => {
      const outcome = outcomes[i]
      if (outcome !== TOO_LATE) each.resolve(outcome === DONE)
      return outcome === TOO_LATE
    })
  }
}
