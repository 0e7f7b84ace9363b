import { RedisTimeoutError } from '../errors.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { Connection } from '../redis/connection.ts'
import { deleteBeginningWith } from '../redis/delete-matching.ts'
import { entryKeys, entryKeysBeginning } from '../redis/entry-keys.ts'
import { asList } from '../redis/reply.ts'
import { lockKeys } from '../redis/lock-keys.ts'
import { overwrite } from '../redis/scripts/overwrite.ts'
import { PRESENT_STREAM } from '../redis/stream-keys.ts'
import type { Broadcast } from './broadcast.ts'
import { encodeEnvelope } from './envelope.ts'
import { AGAIN } from './notice.ts'
import { askTime, type RedisClock } from './redis-clock.ts'
import { fitsInMessage, lifeOf, NOT_KEPT, storedFor, type Storing } from './storing.ts'
import type { AnnouncedTag, Tags } from './tags.ts'

/** What changes entries of one Redis from outside a refill. All reject with Redis's error. */
export class Overwrites {
  readonly #connection: Connection
  readonly #redisClock: RedisClock
  readonly #tags: Tags
  readonly #prefix: string

  constructor(connection: Connection, redisClock: RedisClock, tags: Tags, prefix: string) {
    this.#connection = connection
    this.#redisClock = redisClock
    this.#tags = tags
    this.#prefix = prefix
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
  invalidateTags(tags: readonly AnnouncedTag[], channel: string): Promise<void> {
    return this.#tags.invalidate(tags, channel)
  }

  /** Ends the ttl of the same entries, at once or each at a moment of its own within `over` ms. */
  expireTags(tags: readonly AnnouncedTag[], over: number, channel: string): Promise<void> {
    return this.#tags.expire(tags, over, channel)
  }

  /**
   * Deletes all keys of the prefix, or only those of the namespace of that path, then tells every process. Refills that run lose their lease. What one of them has
   * stored during the first pass, before its lease was met, goes with the second.
   */
  async removeAll(path: string, { channel, message }: Broadcast): Promise<void> {
    for (let pass = 0; pass < 2; pass++) {
      await deleteBeginningWith(this.#connection, entryKeysBeginning(this.#prefix, path))
    }
    await this.#connection.command('publish', this.#connection.channel(channel), message)
  }

  async #overwrite(
    key: string,
    storeFor: number | 'expire',
    bytes: Buffer | '',
    storing: Storing,
    notice: Buffer | string,
    { channel, message }: Broadcast,
  ): Promise<void> {
    const { value, lease, waiters, last } = entryKeys(this.#prefix, key)
    const { queue } = lockKeys(this.#connection.client, lease)
    const told = this.#connection.channel(channel)
    const args = [storeFor, bytes, lifeOf(storing), value, notice, told, message, countsSubscribers(this.#connection)]
    const send = async (): Promise<boolean> => {
      // What deletes or expires may come late: at worst something is loaded once more.
      const deadline = bytes !== '' ? this.#redisClock.deadlineIn(this.#connection.commandTimeout) : ''
      const asked = this.#redisClock.ask()
      const keys = [value, lease, waiters, last, queue, value + PRESENT_STREAM]
      const reply = await this.#connection.run(overwrite, keys, [...args, deadline])
      const [now, outcome] = asList(reply, 2).map(Number)
      asked((now as number) / 1000)
      return outcome === 1
    }
    // Our idea of Redis's clock may be wrong, as after the host was suspended: the first answer has set it right.
    if ((await send()) || (await send())) return
    throw new RedisTimeoutError(this.#connection.label, this.#connection.commandTimeout)
  }
}
