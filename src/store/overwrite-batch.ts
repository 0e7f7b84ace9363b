import type { Clock } from '../clock.ts'
import { RedisTimeoutError } from '../errors.ts'
import { Batches } from '../redis/batches.ts'
import { isErrorReply } from '../redis/client-error.ts'
import type { Connection } from '../redis/connection.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { EntryKeys } from '../redis/entry-keys.ts'
import { asList } from '../redis/reply.ts'
import { overwrite } from '../redis/scripts/overwrite.ts'
import { PRESENT_STREAM } from '../redis/stream-keys.ts'
import { announcingArgs, type Broadcast } from './broadcast.ts'
import { byteLengthOf } from './codec.ts'
import type { RedisClock } from './redis-clock.ts'

/** A change of one entry from outside a refill. */
export interface Overwrite {
  readonly keys: EntryKeys
  /** The queue of waiters that wait for the lease as for a lock. */
  readonly queue: string
  /** ms until the bytes expire; 0 to delete what is there; 'expire' to end its ttl. */
  readonly storeFor: number | 'expire'
  /** '' if there are none. */
  readonly bytes: Buffer | string
  /** ms of ttl, staleWhileRevalidate and staleIfError, as the script reads them. */
  readonly life: string
  /** What waiters get; '' for the bytes. */
  readonly notice: Buffer | string
  /** What every process is told. */
  readonly backplane: Broadcast
}

type Pending = Overwrite & {
  resolve(): void
  reject(error: unknown): void
}

/** Changes in one call of the script, and bytes. More would keep Redis busy for too long. */
const LARGEST_BATCH = 200
const LARGEST_BYTES = 1024 * 1024
/** Most ms for which a change waits for others while one is under way. */
const GATHERED_FOR = 2

const TOO_LATE = 3

/**
 * Makes changes. Those that come while another is under way travel together, and one message tells all processes. A process
 * that makes one change after the other never waits.
 */
export class OverwriteBatches {
  readonly #connection: Connection
  readonly #redisClock: RedisClock
  readonly #batches: Batches<Pending>

  constructor(connection: Connection, redisClock: RedisClock, clock: Clock) {
    this.#connection = connection
    this.#redisClock = redisClock
    this.#batches = new Batches<Pending>({
      send: (batch) => this.#send(batch),
      largest: () => (connection.splitsKeys ? 1 : LARGEST_BATCH),
      size: { of: ({ bytes }) => byteLengthOf(bytes), largest: LARGEST_BYTES },
      gathering: { ms: GATHERED_FOR, clock },
    })
  }

  /** Rejects with Redis's error. If it rejected because time ran out, the change is never made. */
  add(change: Overwrite): Promise<void> {
    return new Promise((resolve, reject) => this.#batches.add({ ...change, resolve, reject }))
  }

  async #send(batch: readonly Pending[]): Promise<void> {
    try {
      const late = await this.#try(batch)
      // Our idea of Redis's clock may be wrong, for example after the host was suspended. The first answer corrected it.
      const tooLate = late.length === 0 ? late : await this.#try(late)
      const { label, commandTimeout } = this.#connection
      for (const { reject } of tooLate) reject(new RedisTimeoutError(label, commandTimeout))
    } catch (error) {
      // A fault of one change is no reason to refuse the others.
      if (batch.length > 1 && isErrorReply(error)) await Promise.all(batch.map((one) => this.#send([one])))
      else for (const { reject } of batch) reject(error)
    }
  }

  /** Returns those for which it was too late. */
  async #try(batch: readonly Pending[]): Promise<readonly Pending[]> {
    const { backplane } = batch[0] as Pending
    const keys: string[] = []
    const args: (string | number | Buffer)[] = [
      countsSubscribers(this.#connection),
      ...announcingArgs(this.#connection, backplane),
    ]
    const deadline = this.#redisClock.deadlineIn(this.#connection.commandTimeout)
    for (const each of batch) {
      const { value, lease, waiters, last } = each.keys
      keys.push(value, lease, waiters, last, each.queue, value + PRESENT_STREAM)
      // A deletion or expiry may come late: at worst something is loaded once more.
      const until = each.bytes === '' ? '' : deadline
      const { message, part } = each.backplane
      args.push(each.storeFor, each.bytes, each.life, value, each.notice, message, part, until)
    }
    const asked = this.#redisClock.ask()
    const reply = await this.#connection.run(overwrite, keys, args)
    const [now, ...outcomes] = asList(reply, batch.length + 1).map(Number)
    asked((now as number) / 1000)
    return batch.filter((each, i) => {
      if (outcomes[i] !== TOO_LATE) each.resolve()
      return outcomes[i] === TOO_LATE
    })
  }
}
