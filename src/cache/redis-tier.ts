import type { Clock } from '../clock.ts'
import { Instance } from '../lock/instance.ts'
import { Locker } from '../lock/locker.ts'
import type { Random } from '../random.ts'
import { Breaker, BreakerOpenError } from '../redis/breaker.ts'
import type { RedisClient } from '../redis/client.ts'
import { Connection } from '../redis/connection.ts'
import { Inbox } from '../redis/inbox.ts'
import type { Codec } from '../store/codec.ts'
import type { Entry } from '../store/entry.ts'
import { RedisStore, type Claim, type Notice, type StoredLifetime } from '../store/redis-store.ts'
import { Backplane, type BackplaneMessage } from './backplane.ts'
import { RedisLease, type Lease } from './lease.ts'
import { Mailbox } from './mailbox.ts'
import type { ResolvedOptions } from './options.ts'

/** Waiters look again this many ms after the lease should have ended, plus up to as many again at random. */
const AFTER_LEASE = 5
const JITTER = 40
/** How often those look who cannot be told, because the inbox is not open. */
const POLL = 100

export interface RedisTierHooks {
  /** Told of what fails and costs nobody an answer. */
  report(error: unknown): void
  /** Another process has changed an entry, or all. */
  onChange(change: BackplaneMessage): void
  /** Changes may have been missed. */
  onGap(): void
}

/** What one cache shares with other processes by way of Redis: entries, leases, waiting, changes. */
export class RedisTier {
  readonly #clock: Clock
  readonly #random: Random
  readonly #breaker: Breaker
  readonly #inbox: Inbox
  readonly #store: RedisStore
  readonly #locker: Locker
  readonly #backplane: Backplane
  readonly #lockTtl: number
  readonly #hooks: RedisTierHooks

  constructor(client: RedisClient, options: ResolvedOptions, clock: Clock, random: Random, hooks: RedisTierHooks) {
    const connection = new Connection(client, clock, options.commandTimeout)
    this.#clock = clock
    this.#random = random
    this.#hooks = hooks
    this.#lockTtl = options.lockTtl
    this.#breaker = new Breaker(clock, connection.label)
    this.#backplane = new Backplane(options.prefix, random)
    this.#inbox = new Inbox(connection, clock, random, {
      channel: this.#backplane.channel,
      onMessage: (message) => this.#onBackplane(message),
    })
    this.#inbox.onReset(() => hooks.onGap())
    this.#store = new RedisStore(connection, this.#inbox, clock, options.prefix, hooks.report)
    const instances = [new Instance(connection, this.#inbox)]
    this.#locker = new Locker({ clients: client }, { clock, random, instances })
  }

  /** One round trip: the fresh value, the lease, or a place among the waiters; `unavailable` when Redis fails. */
  async claim<V>(key: string, codec: Codec<V>): Promise<Claim<V> | 'unavailable'> {
    void this.#inbox.open().catch(() => {}) // at the first claim; the claim does not wait for it
    const token = this.#locker.createToken()
    const claim = await this.attempt(() => this.#store.claim(key, token, this.#lockTtl, codec))
    if (claim === undefined) this.#cleanUp(key, token)
    return claim ?? 'unavailable'
  }

  /** Takes in the notices for `key` from now on; interrupted when they may be missed, and when `signal` aborts. */
  openMailbox<V>(key: string, codec: Codec<V>): { mailbox: Mailbox<Notice<V>>; close: () => void } {
    const mailbox = new Mailbox<Notice<V>>(this.#clock)
    const stopListening = this.#store.listen(key, codec, mailbox.deliver)
    const stopWatching = this.#inbox.onReset(mailbox.interrupt)
    return {
      mailbox,
      close() {
        stopListening()
        stopWatching()
      },
    }
  }

  /** The notice that ends a wait, or `undefined` when it is time to claim again; at the latest after `ms`. */
  async waitForNotice<V>(
    mailbox: Mailbox<Notice<V>>,
    claim: { readonly leaseEndsIn: number; readonly registered: boolean },
    ms: number,
  ): Promise<Notice<V> | undefined> {
    // Not registered, because the inbox was not open yet: its opening resets it, and so interrupts this wait.
    const untilNextLook = claim.registered ? claim.leaseEndsIn + AFTER_LEASE : Math.min(claim.leaseEndsIn, POLL)
    const end = await mailbox.next(Math.min(untilNextLook + JITTER * this.#random.uniform(), Math.max(ms, 0)))
    return typeof end === 'string' ? undefined : end
  }

  /** The lease that a claim has taken, kept alive until it is ended. */
  lease(key: string, token: string, takenAt: number): Lease {
    const leaseKey = this.#store.leaseKey(key)
    const lock = this.#locker.adopt({ key: leaseKey, token, ttl: this.#lockTtl, takenAt, autoExtend: true })
    return new RedisLease(this.#store, lock, key, (operation) => this.attempt(operation))
  }

  read<V>(key: string, codec: Codec<V>): Promise<Entry<V> | undefined> {
    return this.#breaker.run(() => this.#store.read(key, codec))
  }

  write(key: string, payload: Uint8Array, lifetime: StoredLifetime): Promise<void> {
    return this.#breaker.run(() => this.#store.write(key, payload, lifetime, this.#backplane.changed(key)))
  }

  remove(key: string): Promise<void> {
    return this.#breaker.run(() => this.#store.remove(key, this.#backplane.changed(key)))
  }

  removeAll(): Promise<void> {
    return this.#breaker.run(() => this.#store.removeAll(this.#backplane.cleared()))
  }

  /** Runs an operation that may fail without harm to a caller; `undefined` when it did, which is reported. */
  async attempt<T>(operation: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#breaker.run(operation)
    } catch (error) {
      if (!(error instanceof BreakerOpenError)) this.#hooks.report(error)
      return undefined
    }
  }

  async close(): Promise<void> {
    this.#inbox.close()
    await this.#locker.close()
  }

  /** A claim that failed here may yet take the lease over there; on the same connection this comes after it. */
  #cleanUp(key: string, token: string): void {
    this.#store.abandon(key, token).catch(() => {})
  }

  #onBackplane(bytes: Buffer): void {
    const change = this.#backplane.read(bytes)
    if (change !== undefined) this.#hooks.onChange(change)
  }
}
