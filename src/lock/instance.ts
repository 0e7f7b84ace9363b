import type { Connection, SentAtOnce } from '../redis/connection.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { Inbox } from '../redis/inbox.ts'
import { lockKeys } from '../redis/lock-keys.ts'
import { asList } from '../redis/reply.ts'
import type { Script } from '../redis/script.ts'
import { lockAcquire } from '../redis/scripts/lock-acquire.ts'
import { lockExtend } from '../redis/scripts/lock-extend.ts'
import { lockRelease } from '../redis/scripts/lock-release.ts'
import { lockRemaining } from '../redis/scripts/lock-remaining.ts'
import { argumentsOf, Extensions } from './extensions.ts'

/** The result of an attempt to take a lock on one instance. */
export type Attempt = Taken | Busy

export interface Taken {
  readonly taken: true
  readonly fencingToken?: number
}

export interface Busy {
  readonly taken: false
  /** ms until the lock expires; -1 if it never does. */
  readonly remaining: number
  /** Whether its release will be announced to the queue. */
  readonly holderIsOurs: boolean
  /** Whether the token waits in the queue, where a release finds it. */
  readonly queued: boolean
  /** Whether it was not in the queue before. */
  readonly added: boolean
  /** The time on Redis's clock, in ms, when it refused. */
  readonly redisNow: number
}

/**
 * Whether the lock belonged to the token when it was released. `perhaps`: it no longer did, but the client may have sent
 * the release twice, because the reply to the first was lost.
 */
export type Released = 'yes' | 'no' | 'perhaps'

/** Taken, without a fencing number. */
export const TAKEN: Taken = { taken: true }
const REFUSED: Busy = { taken: false, remaining: -1, holderIsOurs: false, queued: false, added: false, redisNow: 0 }
const SCRIPTS: readonly Script[] = [lockAcquire, lockRelease, lockExtend, lockRemaining]

/** The locks of one Redis, and the operations on one of them that take a single round trip. */
export class Instance {
  readonly connection: Connection
  /** Where hand-offs of this instance are received. */
  readonly inbox: Inbox
  readonly #extensions: Extensions
  readonly #yieldAfter: number | ''

  /** `yieldAfter`: ms of unbroken hand-overs after which a lock is left free for a moment. Infinity: never. */
  constructor(connection: Connection, inbox: Inbox, yieldAfter: number = Infinity) {
    this.connection = connection
    this.inbox = inbox
    this.#extensions = new Extensions(connection)
    this.#yieldAfter = yieldAfter === Infinity ? '' : yieldAfter
  }

  async prepare(): Promise<void> {
    await Promise.all(SCRIPTS.map((script) => this.connection.load(script)))
  }

  /** The wire recipe that all implementations share. Resolves with whether the lock was free. */
  async setIfFree(key: string, token: string, ttl: number): Promise<boolean> {
    return (await this.connection.command('set', key, token, 'NX', 'PX', ttl)) === 'OK'
  }

  /** Like `setIfFree`, but also recognises that the token already has the lock because an earlier reply was lost. */
  async set(key: string, token: string, ttl: number): Promise<Attempt> {
    if (await this.setIfFree(key, token, ttl)) return TAKEN
    return (await this.connection.read(key)) === token ? TAKEN : REFUSED
  }

  /** Takes the lock as `setIfFree` does, unless others wait for it. May also join the queue and take a fencing number. */
  async acquire(
    key: string,
    token: string,
    ttl: number,
    wants: { queue: boolean; fencing: boolean },
  ): Promise<Attempt> {
    const { lock, queue, chain, fence } = lockKeys(this.connection.client, key)
    const keys = wants.fencing ? [lock, queue, chain, fence] : [lock, queue, chain]
    const args = [token, ttl, wants.queue ? '1' : '0', countsSubscribers(this.connection)]
    const reply = asList(await this.connection.run(lockAcquire, keys, args), 2)
    const [taken, number, ours, added, redisNow] = reply.map(Number) as [number, number, number, number, number]
    if (taken === 1) return wants.fencing ? { taken: true, fencingToken: number } : TAKEN
    return {
      taken: false,
      remaining: number,
      holderIsOurs: ours === 1,
      queued: wants.queue,
      added: added === 1,
      redisNow,
    }
  }

  /** Gives up the lock or the place in its queue. */
  async release(key: string, token: string): Promise<Released> {
    const { lock, queue, chain } = lockKeys(this.connection.client, key)
    const mayBeRepeated = this.connection.watchForRepetition()
    const args = [token, countsSubscribers(this.connection), this.#yieldAfter]
    if (Number(await this.connection.cleanUp(lockRelease, [lock, queue, chain], args)) === 1) return 'yes'
    return mayBeRepeated() ? 'perhaps' : 'no'
  }

  /** Resolves with whether the lock belonged to the token and now has `ttl` ms left, or more unless this `shortens`. */
  extend(key: string, token: string, ttl: number, shortens: boolean): Promise<boolean> {
    return this.#extensions.add({ key, token, ttl, shortens })
  }

  /** Like `extend`, with a command that leaves at once. The reply is a list of 1 if the lock belonged to the token. */
  extendAtOnce(key: string, token: string, ttl: number, shortens: boolean): SentAtOnce {
    return this.connection.runAtOnce(lockExtend, [key], argumentsOf({ key, token, ttl, shortens }))
  }

  /** ms that the lock has left in Redis; 0 if it does not belong to the token. */
  async remaining(key: string, token: string): Promise<number> {
    const remaining = Number(await this.connection.run(lockRemaining, [key], [token]))
    return remaining === -1 ? Infinity : remaining
  }
}
