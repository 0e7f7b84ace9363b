import { LRUCache } from 'lru-cache'

/** A bounded map in this process's memory, the least recently used dropped first. Expiry is the reader's business. */
export class MemoryStore<T extends object> {
  readonly #items: LRUCache<string, T>

  constructor(maxEntries: number, maxBytes: number | undefined) {
    this.#items = new LRUCache(maxBytes === undefined ? { max: maxEntries } : { max: maxEntries, maxSize: maxBytes })
  }

  get size(): number {
    return this.#items.size
  }

  get(key: string): T | undefined {
    return this.#items.get(key)
  }

  /** `bytes` is needed where `maxBytes` is set; an item larger than that is not kept, nor what it would replace. */
  set(key: string, item: T, bytes: number | undefined): void {
    this.#items.set(key, item, bytes === undefined ? undefined : { size: Math.max(bytes, 1) })
  }

  delete(key: string): void {
    this.#items.delete(key)
  }

  clear(): void {
    this.#items.clear()
  }
}
