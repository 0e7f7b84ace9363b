import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import { deleteBeginningWith } from '../redis/delete-matching.ts'
import { entryKeys, entryKeysBeginning } from '../redis/entry-keys.ts'
import { queueKey } from '../redis/lock-keys.ts'
import { announce, type Broadcast } from './broadcast.ts'
import type { Encoded } from './codec.ts'
import { encodeEnvelope } from './envelope.ts'
import { AGAIN } from './notice.ts'
import { OverwriteBatches } from './overwrite-batch.ts'
import { askTime, type RedisClock } from './redis-clock.ts'
import { fitsInMessage, lifeOf, NOT_KEPT, storedFor, type Storing } from './storing.ts'
import type { Announced, AnnouncedTag, Tags } from './tags.ts'

/** Changes of entries in one Redis from outside a refill. All methods reject with Redis's error. */
export class Overwrites {
  readonly #connection: Connection
  readonly #redisClock: RedisClock
  readonly #tags: Tags
  readonly #prefix: string
  readonly #batches: OverwriteBatches

  constructor(connection: Connection, redisClock: RedisClock, tags: Tags, prefix: string, clock: Clock) {
    this.#connection = connection
    this.#redisClock = redisClock
    this.#tags = tags
    this.#prefix = prefix
    this.#batches = new OverwriteBatches(connection, redisClock, clock)
  }

  /**
   * Replaces whatever there is with a value. A running refill loses its lease in the same step. If this rejects because time
   * ran out, it is never done.
   */
  async write(key: string, payload: Encoded, storing: Storing, backplane: Broadcast): Promise<void> {
    if (this.#redisClock.deadlineIn(0) === '') await askTime(this.#connection, this.#redisClock)
    const storeFor = storedFor(storing)
    const tags = storing.tags.length === 0 ? [] : await this.#tags.forNew(storing.tags, storeFor)
    const bytes = encodeEnvelope({ kind: 'value', payload, tags, loadTime: 0 })
    await this.#overwrite(key, storeFor, bytes, storing, fitsInMessage(bytes) ? '' : AGAIN, backplane)
  }

  /** Deletes the entry. A running refill loses its lease in the same step. */
  async remove(key: string, backplane: Broadcast): Promise<void> {
    await this.#overwrite(key, 0, '', NOT_KEPT, AGAIN, backplane)
  }

  /** Ends the entry's ttl. A running refill loses its lease in the same step. Without a stale window, it is deleted. */
  async expire(key: string, backplane: Broadcast): Promise<void> {
    await this.#overwrite(key, 'expire', '', NOT_KEPT, AGAIN, backplane)
  }

  /** Invalidates all entries with one of the tags that were loaded, or began to be loaded, before now. */
  invalidateTags(tags: readonly AnnouncedTag[], backplane: Announced): Promise<void> {
    return this.#tags.invalidate(tags, backplane)
  }

  /** Ends the ttl of the same entries, at once or each at its own moment within `over` ms. */
  expireTags(tags: readonly AnnouncedTag[], over: number, backplane: Announced): Promise<void> {
    return this.#tags.expire(tags, over, backplane)
  }

  /**
   * Deletes all keys of the prefix, or only those of the namespace of that path. Then tells every process. Running refills
   * lose their lease. The second pass deletes what one of them stored during the first, before its lease was reached.
   */
  async removeAll(path: string, backplane: Broadcast): Promise<void> {
    for (let pass = 0; pass < 2; pass++) {
      await deleteBeginningWith(this.#connection, entryKeysBeginning(this.#prefix, path))
    }
    await announce(this.#connection, backplane)
  }

  #overwrite(
    key: string,
    storeFor: number | 'expire',
    bytes: Buffer | string,
    storing: Storing,
    notice: Buffer | string,
    backplane: Broadcast,
  ): Promise<void> {
    const keys = entryKeys(this.#prefix, key)
    const queue = queueKey(this.#connection.client, keys.lease)
    return this.#batches.add({ keys, queue, storeFor, bytes, life: lifeOf(storing), notice, backplane })
  }
}
