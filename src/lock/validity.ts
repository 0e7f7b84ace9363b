/** Clocks of different hosts may run apart by this share of the time they measure (NTP slews by 0.0005). */
const DRIFT = 0.001

/** The local instant until which a lock surely lasts whose `ttl` was set by a command sent at `sentAt`. */
export function validityEnd(sentAt: number, ttl: number): number {
  return sentAt + ttl * (1 - DRIFT)
}

/** A command that sets the time a lock has left in Redis. */
export interface Extension {
  /** Counts the extensions of one lock in the order of sending. */
  readonly number: number
  /** The local instant until which the lock surely lasts once the command has been carried out. */
  readonly end: number
  /** Whether it may take time from the lock. The script leaves a longer time alone unless told so. */
  readonly shortens: boolean
}

/**
 * The local instant until which a lock surely is held. It follows the order in which extensions were sent, whatever the
 * order of their replies, and never exceeds what Redis may have left of the lock.
 *
 * Only an extension that shortens can do harm when it is carried out late or out of order: the others leave a longer time
 * alone. So one that shortens binds from its sending on until its fate is known, for good if that never is. It is taken
 * for granted that one connection carries commands out in their order.
 */
export class Validity {
  /** What is sure but for `#open`. */
  #end: number
  /** The latest instant at which the lock may end in Redis. */
  #latest: number
  #sent = 0
  #newestSuccess = 0
  #lastShortening = 0
  /** Sent, and not yet answered or given up. */
  #underWay: readonly Extension[] = []
  /** Those that shorten and may still be carried out. */
  #open: readonly Extension[] = []

  constructor(end: number) {
    this.#end = end
    this.#latest = end
  }

  get end(): number {
    let end = this.#end
    for (const extension of this.#open) end = Math.min(end, extension.end)
    return end
  }

  /** Whether a reply that is under way may show that the lock lasts beyond `now`. */
  mayOutlast(now: number): boolean {
    return this.#underWay.some(({ end }) => end > now)
  }

  /** To be called right before an extension is sent. One that may only `lengthen` never takes time from the lock. */
  send(sentAt: number, ttl: number, may: 'set' | 'lengthen'): Extension {
    const end = validityEnd(sentAt, ttl)
    const extension = { number: ++this.#sent, end, shortens: may === 'set' && end < this.#latest }
    this.#latest = Math.max(this.#latest, end)
    this.#underWay = [...this.#underWay, extension]
    if (extension.shortens) {
      this.#lastShortening = extension.number
      this.#open = [...this.#open, extension]
    }
    return extension
  }

  /** Every instance has carried it out. Returns whether none that was sent later has been. */
  succeeded(extension: Extension): boolean {
    this.#underWay = without(this.#underWay, extension)
    const { number, end, shortens } = extension
    const isNewest = number > this.#newestSuccess
    if (!shortens) {
      // Behind a later one that shortens it counts no more; that one may have been carried out after it.
      if (number > this.#lastShortening) this.#end = Math.max(this.#end, end)
    } else {
      this.#open = without(this.#open, extension)
      this.#end = isNewest ? end : Math.min(this.#end, end)
      if (number === this.#sent) this.#latest = end
    }
    if (isNewest) this.#newestSuccess = number
    return isNewest
  }

  /** It was refused or not answered. `fate` settles when it can no longer be carried out; absent: nobody will know. */
  failed(extension: Extension, fate: Promise<unknown> | undefined): void {
    this.#underWay = without(this.#underWay, extension)
    if (!extension.shortens) return
    const settle = (): void => {
      this.#open = without(this.#open, extension)
      this.#end = Math.min(this.#end, extension.end)
    }
    fate?.then(settle, settle)
  }
}

function without(extensions: readonly Extension[], extension: Extension): readonly Extension[] {
  return extensions.filter((each) => each !== extension)
}
