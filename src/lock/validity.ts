/** Clocks of different hosts may differ by this share of the measured time (NTP slews by 0.0005). */
const DRIFT = 0.001

/** The local time until which a lock certainly lasts, if a command sent at `sentAt` has set its `ttl`. */
export function validityEnd(sentAt: number, ttl: number): number {
  return sentAt + ttl * (1 - DRIFT)
}

/** A command that sets the time a lock has left in Redis. */
export interface Extension {
  /** Counts the extensions of one lock in the order of sending. */
  readonly number: number
  /** The local time until which the lock certainly lasts once the command has been carried out. */
  readonly end: number
  /** Whether it may shorten the lock. Otherwise the script leaves a longer time alone. */
  readonly shortens: boolean
}

/**
 * The local time until which a lock is certainly held. It follows the order in which extensions were sent, whatever the
 * order of their replies. It never exceeds the time that the lock may have left in Redis. Only a shortening extension can
 * do harm when it is carried out late or out of order, because others leave a longer time alone. So a shortening
 * extension counts from its sending until its outcome is known, and for good if that never is. This assumes that one
 * connection carries out commands in order.
 */
export class Validity {
  /** What is certain, apart from `#open`. */
  #end: number
  /** The latest time at which the lock may end in Redis. */
  #latest: number
  #sent = 0
  #newestSuccess = 0
  #lastShortening = 0
  /** Sent, but not yet answered or given up. */
  #underWay: readonly Extension[] = []
  /** Shortening extensions that may still be carried out. */
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

  /** Whether a reply under way may show that the lock lasts beyond `now`. */
  mayOutlast(now: number): boolean {
    return this.#underWay.some(({ end }) => end > now)
  }

  /** Call this right before an extension is sent. An extension that may only `lengthen` never shortens the lock. */
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

  /** Every instance has carried it out. Returns whether no later one has been carried out. */
  succeeded(extension: Extension): boolean {
    this.#underWay = without(this.#underWay, extension)
    const { number, end, shortens } = extension
    const isNewest = number > this.#newestSuccess
    if (!shortens) {
      // It no longer counts if a later one shortens, which may have been carried out after it.
      if (number > this.#lastShortening) this.#end = Math.max(this.#end, end)
    } else {
      this.#open = without(this.#open, extension)
      this.#end = isNewest ? end : Math.min(this.#end, end)
      if (number === this.#sent) this.#latest = end
    }
    if (isNewest) this.#newestSuccess = number
    return isNewest
  }

  /** It was refused or not answered. `fate` settles when it can no longer be carried out. Absent: nobody will know. */
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
