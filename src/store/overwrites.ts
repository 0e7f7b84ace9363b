import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import { deleteBeginningWith } from '../redis/delete-matching.ts'
import { entryKeys, entryKeysBeginning } from '../redis/entry-keys.ts'
import { queueKey } from '../redis/lock-keys.ts'
import { announceOne } from '../redis/scripts/announce-one.ts'
import { announcingArgs, type Broadcast } from './broadcast.ts'
import { encodeEnvelope } from './envelope.ts'
import { AGAIN } from './notice.ts'
import { OverwriteBatches } from './overwrite-batch.ts'
import { askTime, type RedisClock } from './redis-clock.ts'
import { fitsInMessage, lifeOf, NOT_KEPT, storedFor, type Storing } from './storing.ts'
import type { Announced, AnnouncedTag, Tags } from './tags.ts'

/** What changes entries of one Redis from outside a refill. All reject with Redis's error. */
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
   * Puts a value in place of whatever there is; a running refill loses its lease in the same step. Never done once this has
   * rejected for want of time.
   */
  async write(key: string, payload: Uint8Array, storing: Storing, backplane: Broadcast): Promise<void> {
    if (this.#redisClock.deadlineIn(0) === '') await askTime(this.#connection, this.#redisClock)
    const storeFor = storedFor(storing)
    const tags = storing.tags.length === 0 ? [] : await this.#tags.forNew(storing.tags, storeFor)
    const bytes = encodeEnvelope({ kind: 'value', payload, tags, loadTime: 0 })
    await this.#overwrite(key, storeFor, bytes, storing, fitsInMessage(bytes) ? '' : AGAIN, backplane)
  }

  /** Deletes the entry; a running refill loses its lease in the same step. */
  async remove(key: string, backplane: Broadcast): Promise<void> {
    await this.#overwrite(key, 0, '', NOT_KEPT, AGAIN, backplane)
  }

  /** Ends the entry's ttl; a running refill loses its lease in the same step. Without a stale window it is deleted. */
  async expire(key: string, backplane: Broadcast): Promise<void> {
    await this.#overwrite(key, 'expire', '', NOT_KEPT, AGAIN, backplane)
  }

  /** Makes all entries that have one of the tags, and were loaded or began to be loaded before now, count for nothing. */
  invalidateTags(tags: readonly AnnouncedTag[], backplane: Announced): Promise<void> {
    return this.#tags.invalidate(tags, backplane)
  }

  /** Ends the ttl of the same entries, at once or each at a moment of its own within `over` ms. */
  expireTags(tags: readonly AnnouncedTag[], over: number, backplane: Announced): Promise<void> {
    return this.#tags.expire(tags, over, backplane)
  }

  /**
   * Deletes all keys of the prefix, or only those of the namespace of that path, then tells every process. Refills that run lose their lease. What one of them has
   * stored during the first pass, before its lease was met, goes with the second.
   */
  async removeAll(path: string, backplane: Broadcast): Promise<void> {
    for (let pass = 0; pass < 2; pass++) {
      await deleteBeginningWith(this.#connection, entryKeysBeginning(this.#prefix, path))
    }
    const [channel, , counter] = announcingArgs(this.#connection, backplane)
    if (counter === '') await this.#connection.command('publish', channel, backplane.message)
    else await this.#connection.run(announceOne, [], [channel, counter, backplane.message])
  }

  #overwrite(
    key: string,
    storeFor: number | 'expire',
    bytes: Buffer | '',
    storing: Storing,
    notice: Buffer | string,
    backplane: Broadcast,
  ): Promise<void> {
    const keys = entryKeys(this.#prefix, key)
    const queue = queueKey(this.#connection.client, keys.lease)
    return this.#batches.add({ keys, queue, storeFor, bytes, life: lifeOf(storing), notice, backplane })
  }
}
