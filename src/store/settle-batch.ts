import { RedisTimeoutError } from '../errors.ts'
import { isCrossSlot } from '../redis/client-error.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { Connection } from '../redis/connection.ts'
import { entryKeys } from '../redis/entry-keys.ts'
import { queueKey } from '../redis/lock-keys.ts'
import { asList } from '../redis/reply.ts'
import type { Script } from '../redis/script.ts'
import { renew } from '../redis/scripts/renew.ts'
import { settle } from '../redis/scripts/settle.ts'
import { Batches } from '../redis/batches.ts'
import { announcingArgs, type Broadcast } from './broadcast.ts'
import { byteLengthOf } from './codec.ts'
import { AGAIN } from './notice.ts'
import type { RedisClock } from './redis-clock.ts'
import { LARGEST_IN_MESSAGE } from './storing.ts'

/** The end of one refill, if its lease still allows it. */
export interface RefillEnd {
  readonly key: string
  readonly token: string
  /** Whether the lease has run out by our clock. It still counts as long as nobody has taken it. */
  readonly hasRunOut: boolean
  /** ms of ttl, staleWhileRevalidate and staleIfError, as the script reads them. */
  readonly life: string
  /** Whether the value has tags for the script to check. */
  readonly isTagged: boolean
}

/** An end that stores bytes, or nothing. */
export interface Settlement extends RefillEnd {
  /** '' if there are none. */
  readonly bytes: Buffer | string
  /** What waiters get; '' for the bytes. */
  readonly notice: Buffer | string
  /** What every process is told once the bytes are stored. */
  readonly change: Broadcast | undefined
}

/** An end that gives the stored value a new life. */
export interface Renewal extends RefillEnd {
  /** ms until the stored bytes expire, 0 to leave them as they are. */
  readonly storeFor: number
  /** The new envelope, without a payload. */
  readonly head: string
}

/** The outcome. `refused`: also if a tag forbade it. `absent`: nothing is stored that could be renewed. */
export type EndOutcome = 'done' | 'refused' | 'absent'

/** An end under way, and who is told of its outcome. */
export interface Pending<E> {
  readonly end: E
  resolve(outcome: EndOutcome): void
  reject(error: unknown): void
}

type Args = (string | number | Buffer)[]

/** How ends of one kind are sent: the script, the common arguments of a batch, and those of each end. */
export interface EndFormat<E extends RefillEnd> {
  readonly script: Script
  common(connection: Connection, deadline: number | ''): Args
  add(args: Args, end: E, valueKey: string, connection: Connection, deadline: number | ''): void
  sizeOf(end: E): number
}

/** Each argument costs the client more than its bytes, so the usual end has two. */
export const SETTLING: EndFormat<Settlement> = {
  script: settle,
  common: (connection, deadline) => [deadline, Buffer.byteLength(connection.client.keyPrefix)],
  add(args, { token, hasRunOut, bytes, life, notice, change }, _valueKey, connection) {
    const letters = `${hasRunOut ? 'r' : ''}${bytes === '' ? '' : 'b'}${notice === '' ? '' : 'n'}${change ? 'c' : ''}`
    args.push(`${token} ${life} ${letters}`)
    if (bytes !== '') args.push(bytes)
    if (notice !== '') args.push(notice)
    if (change === undefined) return
    const [channel, , counter, parts] = announcingArgs(connection, change)
    args.push(channel, counter, parts, change.message, change.part)
  },
  sizeOf: ({ bytes, notice }) => byteLengthOf(bytes) + notice.length,
}

export const RENEWING: EndFormat<Renewal> = {
  script: renew,
  common: () => [LARGEST_IN_MESSAGE],
  add(args, { token, hasRunOut, storeFor, head, life }, valueKey, _connection, deadline) {
    args.push(token, storeFor, head, life, valueKey, deadline, hasRunOut ? '1' : '')
  },
  sizeOf: ({ head }) => head.length,
}

/** Ends of refills in one call of the script, and bytes. More would keep Redis busy for too long. */
const LARGEST_BATCH = 200
const LARGEST_BYTES = 1024 * 1024

const DONE = 1
const TOO_LATE = 3
const ABSENT = 4

/** Ends refills of one kind. Those of one tick travel together. */
export class EndBatches<E extends RefillEnd> {
  readonly #format: EndFormat<E>
  readonly #connection: Connection
  readonly #prefix: string
  readonly #redisClock: RedisClock
  readonly #tagKeys: () => string
  readonly #watch: (outcome: Promise<unknown>) => void
  readonly #batches: Batches<Pending<E>>

  /** `tagKeys`: how the keys of tags begin, '' if scripts do not check tags. `watch` gets the outcome of each command. */
  constructor(
    format: EndFormat<E>,
    connection: Connection,
    prefix: string,
    redisClock: RedisClock,
    tagKeys: () => string,
    watch: (outcome: Promise<unknown>) => void,
  ) {
    this.#format = format
    this.#connection = connection
    this.#prefix = prefix
    this.#redisClock = redisClock
    this.#tagKeys = tagKeys
    this.#watch = watch
    this.#batches = new Batches<Pending<E>>({
      send: (batch) => this.#send(batch),
      largest: () => (connection.splitsKeys ? 1 : LARGEST_BATCH),
      size: { of: ({ end }) => format.sizeOf(end), largest: LARGEST_BYTES },
    })
  }

  /** Rejects with Redis's error. */
  add(end: E): Promise<EndOutcome> {
    return new Promise((resolve, reject) => this.#batches.add({ end, resolve, reject }))
  }

  /** The same for one of thousands, without a promise. */
  addPending(pending: Pending<E>): void {
    this.#batches.add(pending)
  }

  async #send(batch: readonly Pending<E>[]): Promise<void> {
    const { label, commandTimeout, splitsKeys } = this.#connection
    try {
      const late = await this.#try(batch)
      // Our idea of Redis's clock may be wrong, for example after the host was suspended. The first answer corrected it.
      const tooLate = late.length === 0 ? late : await this.#try(late)
      for (const each of tooLate) each.reject(new RedisTimeoutError(label, commandTimeout))
    } catch (error) {
      // The Redis turns out to be sharded: from now on each end is sent alone, and its tags are checked in another way.
      const mayRepeat = isCrossSlot(error) && !splitsKeys
      for (const each of batch) {
        if (mayRepeat && !each.end.isTagged) this.#batches.add(each)
        else each.reject(error)
      }
    }
  }

  /** Returns those for which it was too late. */
  async #try(batch: readonly Pending<E>[]): Promise<readonly Pending<E>[]> {
    const { script } = this.#format
    const { client } = this.#connection
    const keys: string[] = []
    const deadline = this.#redisClock.deadlineIn(this.#connection.commandTimeout)
    const common = this.#format.common(this.#connection, deadline)
    const args: Args = [this.#tagKeys(), countsSubscribers(this.#connection), AGAIN, ...common]
    for (const { end } of batch) {
      const { value, lease, waiters, last } = entryKeys(this.#prefix, end.key)
      keys.push(value, lease, waiters, last, queueKey(client, lease))
      this.#format.add(args, end, value, this.#connection, deadline)
    }
    const asked = this.#redisClock.ask()
    const answered = this.#connection.run(script, keys, args)
    this.#watch(answered)
    const reply = asList(await answered, batch.length + 1)
    asked(Number(reply[0]) / 1000)
    return batch.filter((each, i) => {
      const outcome = Number(reply[i + 1])
      if (outcome !== TOO_LATE) each.resolve(outcome === DONE ? 'done' : outcome === ABSENT ? 'absent' : 'refused')
      return outcome === TOO_LATE
    })
  }
}
