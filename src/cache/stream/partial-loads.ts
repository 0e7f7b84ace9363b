import type { Clock } from '../../clock.ts'
import type { Random } from '../../random.ts'
import { readable } from '../../redis/entry-keys.ts'
import type { Local } from '../local/local.ts'
import { LoadRecord } from '../refill/loader-context.ts'
import type { RedisTier } from '../shared/tier.ts'
import { allow, type HeldElsewhere, type PartialSharing } from './partial-sharing.ts'
import { Publication } from './publication.ts'
import { PublishedLoad } from './published-load.ts'
import { WatchedTags } from './watched-tags.ts'

/**
 * Loads that make their result piece by piece. If a result is useful before it is whole, its load publishes it by a log, as
 * a stream does. Processes that wait for the result follow the log of the lease's holder. At the end the result is stored as
 * for any load; the log is separate from it.
 */
export class PartialLoads implements PartialSharing {
  readonly #redis: RedisTier
  readonly #local: Local
  readonly #clock: Clock
  readonly #random: Random
  readonly #closing: AbortSignal
  readonly #watching = new Map<string, Set<(held: HeldElsewhere) => void>>()

  constructor(redis: RedisTier, local: Local, clock: Clock, random: Random, closing: AbortSignal) {
    this.#redis = redis
    this.#local = local
    this.#clock = clock
    this.#random = random
    this.#closing = closing
  }

  /** A refill has found that another process has the lease. */
  heldElsewhere(key: string, token: string | undefined, waitFor: (ms: number) => void): void {
    if (token === undefined) return
    for (const onHeld of this.#watching.get(key) ?? []) onHeld({ token, waitFor })
  }

  whenHeldElsewhere(key: string, onHeld: (held: HeldElsewhere) => void): () => void {
    const watching = this.#watching.get(key) ?? new Set()
    this.#watching.set(key, watching.add(onHeld))
    return () => {
      if (watching.delete(onHeld) && watching.size === 0) this.#watching.delete(key)
    }
  }

  follow(key: string, token: string): PublishedLoad {
    const log = this.#redis.streamLog(key, token)
    const report = (error: unknown): void => this.#redis.reportOfStream(error)
    return new PublishedLoad(log, { key, clock: this.#clock, random: this.#random, closing: this.#closing, report })
  }

  async publish(context: unknown, maxBytes: number): Promise<Publication | undefined> {
    if (!(context instanceof LoadRecord)) return undefined
    const { lease, fullKey: key, tags, since } = context as LoadRecord<unknown>
    if (lease?.token === undefined) return undefined
    const witnesses = { local: this.#local, redis: this.#redis }
    const watched = new WatchedTags(witnesses, () => tags.map(readable), since, lease)
    const log = this.#redis.streamLog(key, lease.token)
    const report = (error: unknown): void => this.#redis.reportOfStream(error)
    try {
      if ((await watched.areChanged()) || (await log.begin('restart', lease.grantedAt)) === undefined) return undefined
      const publication = new Publication(log, { key, clock: this.#clock, maxBytes, report })
      // After a change of a tag, new callers get another load; current readers go on.
      const look = async (): Promise<void> => {
        if (!(await watched.areChanged())) return
        publication.onPart()
        void publication.released.then(() => lease.abandon())
      }
      void publication.released.then(this.#local.whenTagsChange(() => void look()))
      await look()
      return publication
    } catch (error) {
      report(error)
      return undefined
    }
  }

  readonly allow: PartialSharing['allow'] = allow
}
