/** Keys and tags whose last change is remembered. */
const KEPT = 10_000

/**
 * Counts the changes that this process has made or heard of, and remembers the number of the last change for each key,
 * tag and namespace. A request notes the number when it is sent. Its result may be kept unless a later change concerns
 * it. The number of remembered keys is limited: results requested before the oldest of them count as changed.
 */
export class Changes {
  #count = 0
  readonly #byKey = new Log()
  readonly #byTag = new Log()
  readonly #byPath = new Log()
  /** The last change that concerns every key. */
  #ofAll = 0
  /** The number of the last gap, in which changes may have been missed. */
  #gap = 0

  /** The number of the last change. */
  get now(): number {
    return this.#count
  }

  /** Each returns the number of the change. */
  ofKey(key: string): number {
    return this.#byKey.note(key, ++this.#count)
  }

  ofTag(tag: string): number {
    return this.#byTag.note(tag, ++this.#count)
  }

  /** A change of everything in the namespace of that path. */
  ofPath(path: string): number {
    return this.#byPath.note(path, ++this.#count)
  }

  ofAll(): number {
    this.#byKey.clear()
    this.#byTag.clear()
    this.#byPath.clear()
    return (this.#ofAll = ++this.#count)
  }

  gap(): number {
    return (this.#gap = ++this.#count)
  }

  /** A number for the current moment, which concerns no entry. */
  mark(): number {
    return ++this.#count
  }

  /** Whether nothing has changed for an entry of `key` with these tags since change number `since`. */
  noneSince(since: number, key: string, tags: readonly string[]): boolean {
    return since >= this.#ofAll && since >= this.#byKey.last(key) && this.noneOfTagsSince(since, tags)
  }

  noneOfTagsSince(since: number, tags: readonly string[]): boolean {
    for (const tag of tags) if (since < this.#byTag.last(tag)) return false
    return true
  }

  noneOfPathsSince(since: number, paths: readonly string[]): boolean {
    for (const path of paths) if (since < this.#byPath.last(path)) return false
    return true
  }

  /** Whether no change can have been missed since then. */
  noneMissedSince(since: number): boolean {
    return since >= this.#gap
  }
}

/** The number of the last change by name, for a limited number of names. */
class Log {
  readonly #numbers = new Map<string, number>()
  /** The highest number of a name that is no longer remembered. */
  #forgotten = 0

  note(name: string, number: number): number {
    this.#numbers.delete(name) // so that the order of insertion stays that of the numbers
    this.#numbers.set(name, number)
    if (this.#numbers.size > KEPT) this.#forgetOldest()
    return number
  }

  last(name: string): number {
    return this.#numbers.get(name) ?? this.#forgotten
  }

  clear(): void {
    this.#numbers.clear()
    this.#forgotten = 0
  }

  #forgetOldest(): void {
    for (const [name, number] of this.#numbers) {
      this.#numbers.delete(name)
      this.#forgotten = number
      return
    }
  }
}
