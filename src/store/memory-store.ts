import { LRUCache } from 'lru-cache'

/** lru-cache makes room for `max` entries at once; beyond this many they are bounded by size, each of size 1. */
const MOST_PREALLOCATED = 1_000_000

/** A bounded map in this process's memory, the least recently used dropped first. Expiry is the reader's business. */
export class MemoryStore<T extends object> {
  readonly #items: LRUCache<string, T>
  /** Size of an item that comes without one. */
  readonly #defaultSize: 1 | undefined

  /** `onDrop` is told of every item that goes: evicted, deleted or replaced. */
  constructor(maxEntries: number, maxBytes: number | undefined, onDrop?: (item: T, key: string) => void) {
    const isCounted = maxEntries <= MOST_PREALLOCATED
    this.#defaultSize = isCounted || maxBytes !== undefined ? undefined : 1
    this.#items = new LRUCache({
      ...(isCounted ? { max: maxEntries } : { maxSize: maxEntries }),
      ...(maxBytes === undefined ? {} : { maxSize: maxBytes }),
      ...(onDrop === undefined ? {} : { dispose: onDrop }),
    })
  }

  get size(): number {
    return this.#items.size
  }

  /** The sum of the sizes that items came with. */
  get bytes(): number {
    return this.#items.calculatedSize
  }

  get(key: string): T | undefined {
    return this.#items.get(key)
  }

  /** Like `get`, without counting as a use. */
  peek(key: string): T | undefined {
    return this.#items.peek(key)
  }

  /** `bytes` is needed where `maxBytes` is set; an item larger than that is not kept, nor what it would replace. */
  set(key: string, item: T, bytes: number | undefined): void {
    const size = bytes === undefined ? this.#defaultSize : Math.max(bytes, 1)
    this.#items.set(key, item, size === undefined ? undefined : { size })
  }

  delete(key: string): void {
    this.#items.delete(key)
  }

  clear(): void {
    this.#items.clear()
  }
}
