import { RedisTimeoutError } from '../errors.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { Connection } from '../redis/connection.ts'
import type { EntryKeys } from '../redis/entry-keys.ts'
import { asList } from '../redis/reply.ts'
import type { Script } from '../redis/script.ts'
import { renew } from '../redis/scripts/renew.ts'
import { settle } from '../redis/scripts/settle.ts'
import { Batches } from '../redis/batches.ts'
import { announcingArgs, type Broadcast } from './broadcast.ts'
import { AGAIN } from './notice.ts'
import type { RedisClock } from './redis-clock.ts'
import { LARGEST_IN_MESSAGE } from './storing.ts'

/** The end of one refill, while that may still be ended. */
export interface RefillEnd {
  readonly keys: EntryKeys
  /** The queue of those who wait for the lease as for a lock. */
  readonly queue: string
  readonly token: string
  /** Whether the lease has run out by our clock: it is still good while nobody has taken it. */
  readonly hasRunOut: boolean
  /** ms until the stored bytes expire, 0 to store nothing. */
  readonly storeFor: number
  /** ms of ttl, staleWhileRevalidate and staleIfError, as the script reads them. */
  readonly life: string
}

/** One that stores bytes, or nothing. */
export interface Settlement extends RefillEnd {
  readonly bytes: Buffer | ''
  /** What waiters are sent; '' for the bytes. */
  readonly notice: Buffer | string
  /** What every process is told once it is stored. */
  readonly change: Broadcast | undefined
}

/** One that gives what is stored a new life. */
export interface Renewal extends RefillEnd {
  /** The new envelope, without a payload. */
  readonly head: Buffer
}

/** What came of it; `refused` also where a tag forbade it, `absent` where nothing is stored that could be renewed. */
export type EndOutcome = 'done' | 'refused' | 'absent'

type Pending<E> = E & {
  resolve(outcome: EndOutcome): void
  reject(error: unknown): void
}

/** How ends of one kind travel: the script, what all of a batch have in common, and what each brings. */
export interface EndFormat<E extends RefillEnd> {
  readonly script: Script
  readonly common: readonly (string | number)[]
  argsOf(end: E, deadline: number | '', connection: Connection): (string | number | Buffer)[]
  sizeOf(end: E): number
}

export const SETTLING: EndFormat<Settlement> = {
  script: settle,
  common: [],
  argsOf({ keys, token, hasRunOut, storeFor, bytes, life, notice, change }, deadline, connection) {
    const until = storeFor > 0 ? deadline : ''
    const [channel, , counter] = change === undefined ? ['', '', ''] : announcingArgs(connection, change)
    const told = [channel, counter, change?.message ?? '']
    return [token, storeFor, bytes, life, keys.value, notice, until, hasRunOut ? '1' : '', ...told]
  },
  sizeOf: ({ bytes, notice }) => bytes.length + notice.length,
}

export const RENEWING: EndFormat<Renewal> = {
  script: renew,
  common: [LARGEST_IN_MESSAGE],
  argsOf: ({ keys, token, hasRunOut, storeFor, head, life }, deadline) => [
    token,
    storeFor,
    head,
    life,
    keys.value,
    deadline,
    hasRunOut ? '1' : '',
  ],
  sizeOf: ({ head }) => head.length,
}

/** Ends of refills in one call of the script, and bytes; more would keep Redis from serving others for too long. */
const LARGEST_BATCH = 200
const LARGEST_BYTES = 1024 * 1024

const DONE = 1
const TOO_LATE = 3
const ABSENT = 4

/** Ends refills in one way; those of one tick travel together. */
export class EndBatches<E extends RefillEnd> {
  readonly #format: EndFormat<E>
  readonly #connection: Connection
  readonly #redisClock: RedisClock
  readonly #tagKeys: () => string
  readonly #batches: Batches<Pending<E>>

  /** `tagKeys`: what the keys of tags begin with, '' where scripts leave them alone. */
  constructor(format: EndFormat<E>, connection: Connection, redisClock: RedisClock, tagKeys: () => string) {
    this.#format = format
    this.#connection = connection
    this.#redisClock = redisClock
    this.#tagKeys = tagKeys
    this.#batches = new Batches<Pending<E>>({
      send: (batch) => this.#send(batch),
      largest: () => (connection.splitsKeys ? 1 : LARGEST_BATCH),
      size: { of: (end) => format.sizeOf(end), largest: LARGEST_BYTES },
    })
  }

  /** Rejects with Redis's error. */
  add(end: E): Promise<EndOutcome> {
    return new Promise((resolve, reject) => this.#batches.add({ ...end, resolve, reject }))
  }

  async #send(batch: readonly Pending<E>[]): Promise<void> {
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
  async #try(batch: readonly Pending<E>[]): Promise<readonly Pending<E>[]> {
    const { script, common, argsOf } = this.#format
    const keys: string[] = []
    const args: (string | number | Buffer)[] = [this.#tagKeys(), countsSubscribers(this.#connection), AGAIN, ...common]
    const deadline = this.#redisClock.deadlineIn(this.#connection.commandTimeout)
    for (const end of batch) {
      const { value, lease, waiters, last } = end.keys
      keys.push(value, lease, waiters, last, end.queue)
      args.push(...argsOf(end, deadline, this.#connection))
    }
    const asked = this.#redisClock.ask()
    const reply = await this.#connection.run(script, keys, args)
    const [now, ...outcomes] = asList(reply, batch.length + 1).map(Number)
    asked((now as number) / 1000)
    return batch.filter((each, i) => {
      const outcome = outcomes[i]
      if (outcome !== TOO_LATE) each.resolve(outcome === DONE ? 'done' : outcome === ABSENT ? 'absent' : 'refused')
      return outcome === TOO_LATE
    })
  }
}
