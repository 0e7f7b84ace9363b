import { isCrossSlot } from '../redis/client-error.ts'
import type { Broadcast } from './broadcast.ts'
import type { Encoded } from './codec.ts'
import { encodeEnvelope, encodeHead, type Kind, type NewEnvelope, type StoredTag } from './envelope.ts'
import { AGAIN, failureNotice, LOCAL, PASS, writeFailure, type RemoteFailure } from './notice.ts'
import type { EndBatches, EndOutcome, Pending, RefillEnd, Renewal, Settlement } from './settle-batch.ts'
import { fitsInMessage, lifeOf, NOT_KEPT, storedFor, type Storing } from './storing.ts'
import type { Tags } from './tags.ts'

/** A lease that was taken: its token, and when. */
export interface Possession {
  readonly token: string
  /** Local time at which the claim was sent. */
  readonly sentAt: number
  /** When it was granted, in µs on Redis's clock. */
  readonly grantedAt: number
}

/** A lease to end: its token, and whether it has run out by our clock. */
export type Ended = Pick<Possession, 'token'> & { readonly hasRunOut: boolean }

/** One that commits without a promise. */
export interface Committing {
  /** `isAccepted`: whether the lease still allowed it. */
  committed(isAccepted: boolean): void
  /** Gets Redis's error, and what was not stored. */
  commitFailed(error: unknown, payload: Encoded, storing: Storing): void
}

/** One way to end a refill. */
export type Ending = (endings: Endings, key: string, possession: Possession & Ended) => Promise<boolean>

/** How refills end in one Redis. Each method returns whether the lease still allowed it, and rejects with Redis's error. */
export class Endings {
  readonly #settlements: EndBatches<Settlement>
  readonly #renewals: EndBatches<Renewal>
  readonly #tags: Tags

  constructor(settlements: EndBatches<Settlement>, renewals: EndBatches<Renewal>, tags: Tags) {
    this.#settlements = settlements
    this.#renewals = renewals
    this.#tags = tags
  }

  /**
   * Stores a loaded value and hands it to the waiters, if the lease still allows it. Returns whether it did. If so, every
   * process is told of `change`.
   */
  commit(
    key: string,
    possession: Possession & Ended,
    payload: Encoded,
    storing: Storing,
    loadTime: number,
    change?: Broadcast,
  ): Promise<boolean> {
    return this.#store(key, possession, { kind: 'value', payload, loadTime }, storing, noticeOf, change)
  }

  /** The same for one of thousands, without tags, without a change to tell, and without a promise. */
  commitFor(
    committing: Committing,
    key: string,
    { token, hasRunOut }: Ended,
    payload: Encoded,
    storing: Storing,
    loadTime: number,
  ): void {
    const bytes = encodeEnvelope({ kind: 'value', payload, loadTime, tags: NO_TAGS })
    const life = lifeOf(storing)
    const notice = noticeOf(bytes)
    const end: Settlement = { key, token, hasRunOut, life, isTagged: false, bytes, notice, change: undefined }
    this.#settlements.addPending(new PlainCommit(end, committing, payload, storing))
  }

  #store(
    key: string,
    possession: Possession & Ended,
    content: Omit<NewEnvelope, 'tags'>,
    storing: Storing,
    noticeOf: (bytes: Encoded) => string,
    change?: Broadcast,
  ): Promise<boolean> {
    const storeFor = storedFor(storing)
    const settleWith = (tags: readonly StoredTag[]): Promise<boolean> => {
      const bytes = encodeEnvelope({ ...content, tags })
      return this.#settle(key, possession, bytes, storing, noticeOf(bytes), change)
    }
    if (storing.tags.length === 0) return settleWith(NO_TAGS)
    return onceMoreIfSplit(() => {
      const tags = this.#tagsOfLoad(possession, storing, storeFor)
      return Array.isArray(tags) ? settleWith(tags) : this.#afterCheck(key, possession, tags, settleWith, false)
    })
  }

  /**
   * Gives the stored value a new life and hands it to the waiters, if the lease still allows it. `absent`: nothing is stored
   * any more, and the lease is as before.
   */
  renew(key: string, possession: Possession & Ended, storing: Storing, loadTime: number): Promise<EndOutcome> {
    const storeFor = storedFor(storing)
    const renewWith = (tags: readonly StoredTag[]): Promise<EndOutcome> => {
      const head = encodeHead({ kind: 'value', tags, loadTime })
      const end = this.#end(key, possession, storing)
      return this.#renewals.add({ ...end, storeFor, head })
    }
    return onceMoreIfSplit(() => {
      const tags = this.#tagsOfLoad(possession, storing, storeFor)
      return Array.isArray(tags) ? renewWith(tags) : this.#afterCheck(key, possession, tags, renewWith, 'refused')
    })
  }

  /**
   * Hands a value that is not kept to the waiters, unless one of its tags was invalidated since its load began. If it is too
   * large for a message, each process must load it for itself.
   */
  deliver(key: string, possession: Possession & Ended, payload: Encoded, storing: Storing): Promise<boolean> {
    return onceMoreIfSplit(() => this.#deliver(key, possession, payload, storing))
  }

  #deliver(key: string, possession: Possession & Ended, payload: Encoded, storing: Storing): Promise<boolean> {
    const tags = this.#tagsOfLoad(possession, storing, 0)
    const settleWith = (known: readonly StoredTag[]): Promise<boolean> => {
      const bytes = encodeEnvelope({ kind: 'value', payload, tags: known, loadTime: 0 })
      if (!fitsInMessage(bytes)) return this.#settle(key, possession, '', NOT_KEPT, LOCAL)
      return this.#settle(key, possession, bytes, { ...NOT_KEPT, tags: storing.tags }, '')
    }
    return Array.isArray(tags) ? settleWith(tags) : this.#afterCheck(key, possession, tags, settleWith, false)
  }

  /** The tags as they are stored. If scripts cannot check them, a promise: of `undefined` if one was invalidated. */
  #tagsOfLoad(
    { sentAt, grantedAt }: Possession,
    { tags }: Storing,
    storeFor: number,
  ): StoredTag[] | Promise<StoredTag[] | undefined> {
    if (tags.length === 0) return []
    return this.#tags.areOurs ? this.#tags.forLoaded(tags, sentAt, storeFor) : this.#tags.of(tags, grantedAt)
  }

  async #afterCheck<T>(
    key: string,
    ended: Ended,
    checked: Promise<readonly StoredTag[] | undefined>,
    endWith: (tags: readonly StoredTag[]) => Promise<T>,
    refused: T,
  ): Promise<T> {
    const tags = await checked
    if (tags !== undefined) return endWith(tags)
    await this.abandon(key, ended)
    return refused
  }

  /**
   * Ends the lease; the waiters of this attempt get its failure. With `remembered`, it is also stored like a value, so later
   * callers get it for as long as that says.
   */
  fail(key: string, possession: Possession & Ended, failure: RemoteFailure, remembered?: Storing): Promise<boolean> {
    const notice = failureNotice(failure)
    if (remembered === undefined) {
      return this.#settle(key, possession, '', NOT_KEPT, notice)
    }
    const content = { kind: 'failed', payload: writeFailure(failure), loadTime: 0 } as const
    return this.#store(key, possession, content, remembered, () => notice)
  }

  /** Ends the lease. Waiters and, for `duration` ms, later callers load for themselves, unlocked. */
  pass(key: string, ended: Ended, duration: number): Promise<boolean> {
    return this.#mark('pass', key, ended, duration, PASS)
  }

  /** Ends the lease. The processes of the waiters and, for `duration` ms, of later callers load for themselves, unlocked. */
  localise(key: string, ended: Ended, duration: number): Promise<boolean> {
    return this.#mark('local', key, ended, duration, LOCAL)
  }

  #mark(kind: Kind, key: string, ended: Ended, duration: number, notice: string): Promise<boolean> {
    const bytes = encodeHead({ kind, tags: NO_TAGS, loadTime: 0 })
    return this.#settle(key, ended, bytes, { ...NOT_KEPT, ttl: duration }, notice)
  }

  /** Ends the lease without a result. Waiters compete again. */
  abandon(key: string, ended: Ended): Promise<boolean> {
    return this.#settle(key, ended, '', NOT_KEPT, AGAIN)
  }

  /** `bytes` are stored for as long as `storing` says, if at all. */
  #settle(
    key: string,
    ended: Ended,
    bytes: Buffer | string,
    storing: Storing,
    notice: Buffer | string,
    change?: Broadcast,
  ): Promise<boolean> {
    const end = { ...this.#end(key, ended, storing), bytes, notice, change }
    return this.#settlements.add(end).then(isDone)
  }

  #end(key: string, { token, hasRunOut }: Ended, storing: Storing): RefillEnd {
    return { key, token, hasRunOut, life: lifeOf(storing), isTagged: storing.tags.length > 0 }
  }
}

/** A commit under way. */
class PlainCommit implements Pending<Settlement> {
  readonly end: Settlement
  readonly #committing: Committing
  readonly #payload: Encoded
  readonly #storing: Storing

  constructor(end: Settlement, committing: Committing, payload: Encoded, storing: Storing) {
    this.end = end
    this.#committing = committing
    this.#payload = payload
    this.#storing = storing
  }

  resolve(outcome: EndOutcome): void {
    this.#committing.committed(isDone(outcome))
  }

  reject(error: unknown): void {
    this.#committing.commitFailed(error, this.#payload, this.#storing)
  }
}

const NO_TAGS: readonly StoredTag[] = []

function noticeOf(bytes: Encoded): string {
  return fitsInMessage(bytes) ? '' : AGAIN
}

const isDone = (outcome: EndOutcome): boolean => outcome === 'done'

/** Repeats `end` if a Redis that turns out to be sharded refused several keys at once. From now on each is sent alone. */
function onceMoreIfSplit<T>(end: () => Promise<T>): Promise<T> {
  return end().catch((error: unknown) => {
    if (!isCrossSlot(error)) throw error
    return end()
  })
}
