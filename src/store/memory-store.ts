/** What a store keeps: an object with a mark of its own, which the store alone sets and clears. */
export interface Kept {
  /** Whether it was asked for since the search for something to drop last came by. */
  used: boolean
}

/** A Map of twice as many keys, counting those deleted of late, is the largest that V8 makes. */
const LARGEST = 2 ** 23

/**
 * A bounded map in this process's memory. Expiry is the reader's business.
 *
 * Beyond its bounds something is dropped that was not asked for: a hand goes from the oldest to the newest, clears the
 * mark of what was used and drops the first that was not; then it starts over. That is SIEVE (Y. Zhang et al., "SIEVE is
 * Simpler than LRU", NSDI 2024). It drops no worse than the least recently used, is not emptied by whoever reads
 * everything once, and a hit changes one mark where a list of recency would change six pointers. A Map is all it needs:
 * its order is that of arrival, and an iterator that is kept is the hand.
 */
export class MemoryStore<T extends Kept> {
  readonly #items = new Map<string, T>()
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #onDrop: ((item: T, key: string) => void) | undefined
  /** Only of items that came with a size. */
  readonly #sizes = new Map<string, number>()
  #bytes = 0
  /** Made when there is something to drop: as long as it stands still it keeps every table alive that the Map outgrows. */
  #hand: MapIterator<[string, T]> | undefined

  /** `onDrop` is told of every item that goes: dropped, deleted or replaced. */
  constructor(maxEntries: number, maxBytes: number | undefined, onDrop?: (item: T, key: string) => void) {
    this.#maxEntries = Math.min(maxEntries, LARGEST)
    this.#maxBytes = maxBytes ?? Infinity
    this.#onDrop = onDrop
  }

  get size(): number {
    return this.#items.size
  }

  /** The sum of the sizes that items came with. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): T | undefined {
    const item = this.#items.get(key)
    if (item !== undefined && !item.used) item.used = true // as a rule it is marked, and a setter is the dearer of the two
    return item
  }

  /** Like `get`, without counting as a use. */
  peek(key: string): T | undefined {
    return this.#items.get(key)
  }

  /** `bytes` is needed where `maxBytes` is set; an item larger than that is not kept, nor what it would replace. */
  set(key: string, item: T, bytes: number | undefined): void {
    this.delete(key)
    // What is empty takes room, too.
    const size = bytes === undefined ? 0 : Math.max(bytes, 1)
    if (size > this.#maxBytes) return
    while (this.#items.size >= this.#maxEntries || this.#bytes + size > this.#maxBytes) this.#dropOne()
    this.#items.set(key, item)
    if (size === 0) return
    this.#sizes.set(key, size)
    this.#bytes += size
  }

  delete(key: string): void {
    const item = this.#items.get(key)
    if (item === undefined) return
    this.#items.delete(key)
    if (this.#bytes > 0) {
      this.#bytes -= this.#sizes.get(key) ?? 0
      this.#sizes.delete(key)
    }
    this.#onDrop?.(item, key)
  }

  clear(): void {
    const dropped = [...this.#items]
    this.#items.clear()
    this.#sizes.clear()
    this.#bytes = 0
    this.#hand = undefined
    for (const [key, item] of dropped) this.#onDrop?.(item, key)
  }

  /** To be called only while there is something to drop. */
  #dropOne(): void {
    for (;;) {
      this.#hand ??= this.#items.entries()
      const { done, value } = this.#hand.next()
      if (done === true) {
        this.#hand = undefined
        continue
      }
      const [key, item] = value
      if (!item.used) return this.delete(key)
      item.used = false
    }
  }
}
