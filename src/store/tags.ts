import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import { readable, tagKeysBeginning } from '../redis/entry-keys.ts'
import { isCrossSlot } from '../redis/client-error.ts'
import { asList } from '../redis/reply.ts'
import { expireTags } from '../redis/scripts/expire-tags.ts'
import { invalidateTags } from '../redis/scripts/invalidate-tags.ts'
import { needTag } from '../redis/scripts/need-tag.ts'
import type { Script } from '../redis/script.ts'
import { announcingArgs, type Broadcast } from './broadcast.ts'
import type { Envelope, StoredTag } from './envelope.ts'
import { lastChangeIn, leftBy } from './tag-record.ts'

/** Least ms for which a change of a tag is remembered. No load that runs at the time may take longer. */
const REMEMBERED_FOR = 60 * 60 * 1000
/** Tags in one call of the script, and calls under way at once. */
const LARGEST_BATCH = 500
const WINDOW = 20
/** Least ms for which the key of a tag is needed, even if nothing is stored. */
const LEAST_NEEDED = 1000
/** How often the start of a load is estimated before the load counts as older than a change of the tag. */
const MEASUREMENTS = 3

/**
 * Tags in one Redis. Each tag has one key, with the time of its last invalidation and the times of its expiries since. The
 * key lives as long as any entry with the tag may. An entry notes for each tag when its load began. It counts only if no
 * invalidation is later. If an expiry is later, it is stale.
 *
 * On a single Redis, the scripts that read and store entries check this. On a Cluster, the key of a tag lies in another slot
 * than the entry, on a node with its own clock. There the start of the load is estimated on that clock.
 */
export class Tags {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #prefix: string

  constructor(connection: Connection, clock: Clock, prefix: string) {
    this.#connection = connection
    this.#clock = clock
    this.#prefix = prefix
  }

  /** Whether we must check tags ourselves. Becomes true if a Redis turns out to be sharded. */
  get areOurs(): boolean {
    return this.#connection.splitsKeys
  }

  /** Argument of those scripts: how the keys of tags begin, '' on a Cluster. */
  get scriptArgument(): string {
    if (this.areOurs) return ''
    // Keys that a script builds itself do not get the client's own prefix.
    return this.#connection.client.keyPrefix + tagKeysBeginning(this.#prefix)
  }

  /** The tags of a refill whose lease was granted at `grantedAt`, in µs on Redis's clock. Scripts do the rest. */
  of(forms: readonly string[], grantedAt: number): StoredTag[] {
    return forms.map((form) => [form, grantedAt])
  }

  /** Prepares the tags' keys for an entry that is as new as possible and is about to be stored for `ms`. */
  async forNew(forms: readonly string[], ms: number): Promise<StoredTag[]> {
    return Promise.all(
      forms.map(async (form) => {
        const { now } = await this.#need(form, ms)
        return [form, now] as const
      }),
    )
  }

  /**
   * The same for an entry whose load began at local time `startedAt`. Resolves with `undefined` if one of the tags was
   * invalidated or expired since.
   */
  async forLoaded(forms: readonly string[], startedAt: number, ms: number): Promise<StoredTag[] | undefined> {
    const tags = await Promise.all(
      forms.map(async (form) => {
        let startedOnItsClock = -Infinity
        for (let measurement = 0; measurement < MEASUREMENTS; measurement++) {
          const { changedAt, now } = await this.#need(form, ms)
          // Each estimate is too early by its reply's travel time, and never too late. So the latest is the best.
          startedOnItsClock = Math.max(startedOnItsClock, now - Math.ceil((this.#clock.now() - startedAt) * 1000))
          if (changedAt < startedOnItsClock) return [form, startedOnItsClock] as const
        }
        return undefined
      }),
    )
    return tags.every((tag) => tag !== undefined) ? tags : undefined
  }

  /**
   * Whether one of the tags was invalidated or expired since `since`, in µs on Redis's clock. On a Cluster, each tag is on a
   * node with its own clock, so that is not known here: returns false.
   */
  async areChangedSince(forms: readonly string[], since: number): Promise<boolean> {
    if (this.areOurs || forms.length === 0) return false
    const texts = await Promise.all(forms.map((form) => this.#connection.read(this.#key(form))))
    return texts.some((text) => lastChangeIn(text) >= since)
  }

  /** See `leftByTags`, for the entry of `key`. */
  leftOf(envelope: Envelope, key: string, now: number): Promise<Envelope | undefined> {
    return leftByTags(envelope, readable(key), now, this.#prefix, (tagKey) => this.#connection.read(tagKey))
  }

  /**
   * Invalidates all entries with one of the tags that were loaded, or began to be loaded, before now. Each tag has its own
   * message.
   */
  invalidate(tags: readonly AnnouncedTag[], backplane: Announced): Promise<void> {
    return this.#change(invalidateTags, [REMEMBERED_FOR], backplane, tags)
  }

  /** Ends the ttl of the same entries, at once or each at its own moment within `over` ms. */
  expire(tags: readonly AnnouncedTag[], over: number, backplane: Announced): Promise<void> {
    return this.#change(expireTags, [REMEMBERED_FOR, over], backplane, tags)
  }

  async #change(
    script: Script,
    args: readonly (string | number)[],
    backplane: Announced,
    tags: readonly AnnouncedTag[],
  ): Promise<void> {
    const largest = this.areOurs ? 1 : LARGEST_BATCH
    for (let from = 0; from < tags.length; from += largest * WINDOW) {
      const batches = Array.from({ length: WINDOW }, (_, i) => tags.slice(from + i * largest, from + (i + 1) * largest))
      await Promise.all(batches.map((batch) => this.#changeTogether(script, args, backplane, batch)))
    }
  }

  async #changeTogether(
    script: Script,
    args: readonly (string | number)[],
    backplane: Announced,
    batch: readonly AnnouncedTag[],
  ): Promise<void> {
    if (batch.length === 0) return
    const keys = batch.map(({ name }) => this.#key(readable(name)))
    try {
      const announcing = announcingArgs(this.#connection, backplane)
      await this.#connection.run(script, keys, [...args, ...announcing, ...batch.map(({ message }) => message)])
    } catch (error) {
      if (!isCrossSlot(error) || batch.length === 1) throw error
      await Promise.all(batch.map((tag) => this.#changeTogether(script, args, backplane, [tag])))
    }
  }

  async #need(tag: string, ms: number): Promise<{ changedAt: number; now: number }> {
    const reply = asList(await this.#connection.run(needTag, [this.#key(tag)], [Math.max(ms, LEAST_NEEDED)]), 2)
    return { changedAt: Number(reply[0]), now: Number(reply[1]) }
  }

  #key(tag: string): string {
    return keyOf(tag, this.#prefix)
  }
}

/** Where changes are announced. */
export type Announced = Pick<Broadcast, 'channel' | 'counter'>

/** A tag that is changed, and the message about that to every process. */
export interface AnnouncedTag {
  readonly name: string
  readonly message: string
}

/**
 * What its tags leave of the entry whose key has that form, at `now` in ms on Redis's clock. Like `leftBy`, but reads the
 * keys of tags with `read`: on a Cluster they lie on other nodes than the entry.
 */
export async function leftByTags<E extends Omit<Envelope, 'payload'>>(
  envelope: E,
  form: string,
  now: number,
  prefix: string,
  read: (tagKey: string) => Promise<unknown>,
): Promise<E | undefined> {
  if (envelope.tags.length === 0) return envelope
  const texts = await Promise.all(envelope.tags.map(([tag]) => read(keyOf(tag, prefix))))
  return leftBy(texts, envelope, form, now)
}

/** The key of a tag in readable form. */
function keyOf(tag: string, prefix: string): string {
  return `${tagKeysBeginning(prefix)}${tag}}`
}
