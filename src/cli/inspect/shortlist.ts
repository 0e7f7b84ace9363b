import type { Found } from './find.ts'

/** The first items that are found, up to a limit, each once. The others are counted. */
export class Shortlist<T> {
  readonly items: T[] = []
  readonly #limit: number
  readonly #read: (found: Found) => Promise<T | undefined>
  /** The keys of everything that was found, because SCAN may find one twice. */
  readonly #known = new Set<string>()
  #gone = 0

  constructor(limit: number, read: (found: Found) => Promise<T | undefined>) {
    this.#limit = limit
    this.#read = read
  }

  /** How many there are. */
  get total(): number {
    return this.#known.size - this.#gone
  }

  async take(found: readonly Found[]): Promise<void> {
    const news = found.filter(({ redisKey }) => !this.#known.has(redisKey))
    for (const { redisKey } of news) this.#known.add(redisKey)
    const room = Math.max(this.#limit - this.items.length, 0)
    for (const item of await Promise.all(news.slice(0, room).map(this.#read))) {
      if (item === undefined) this.#gone++
      else this.items.push(item)
    }
  }
}
