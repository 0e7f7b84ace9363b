import type { Local } from '../local/local.ts'
import type { Lease } from '../shared/lease.ts'
import type { RedisTier } from '../shared/tier.ts'

interface Witnesses {
  readonly local: Local
  readonly redis: RedisTier | undefined
}

/** The tags of a load whose result is read before it is whole: has one of them changed since the result was requested? */
export class WatchedTags {
  readonly #witnesses: Witnesses
  readonly #names: () => readonly string[]
  /** The number of the last change that is known not to matter. */
  #since: number
  readonly #lease: Lease | undefined

  /** `names`: the tags known by now, in readable form. `since`: the number of the last change at the time of the request. */
  constructor(witnesses: Witnesses, names: () => readonly string[], since: number, lease: Lease | undefined) {
    this.#witnesses = witnesses
    this.#names = names
    this.#since = since
    this.#lease = lease
  }

  /** Asks Redis if messages may have been missed. If that fails, the tags count as changed. Never rejects. */
  async areChanged(): Promise<boolean> {
    const { local, redis } = this.#witnesses
    const names = this.#names()
    const isChanged = local.areTagsChanged(this.#since, names)
    if (isChanged !== undefined) return isChanged
    if (this.#lease?.token === undefined) return true
    this.#since = local.now
    return (await redis?.areTagsChangedSince(names, this.#lease.grantedAt)) ?? true
  }
}
