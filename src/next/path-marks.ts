import type { Cache } from '../cache/cache.ts'
import { systemRandom } from '../random.ts'

/**
 * The prefix of the tags that Next makes from paths. Entries do not have these tags: a request names the paths for which
 * it asks.
 */
const PATH_TAG = '_N_T_'
/** ms for which it is remembered that a path was never revalidated. It limits the memory that many paths take in Redis. */
const UNMARKED_TTL = 60_000
/** ms for which a mark is kept: longer than any entry that was made before it. */
const MARK_TTL = 365 * 24 * 60 * 60 * 1000

/**
 * Implements `revalidatePath` for entries that any path may use. Each revalidated path has a mark, and each revalidation
 * replaces it. The marks of the paths for which an entry is requested are part of its key. So no clock matters: a render
 * that began before a revalidation is stored under a key that nobody asks for any more.
 */
export class PathMarks {
  readonly #cache: Cache

  constructor(cache: Cache) {
    this.#cache = cache
  }

  /** The form of `key` for the paths that these tags stand for. */
  async keyFor(key: string, tags: readonly string[]): Promise<string> {
    if (tags.length === 0) return key
    const unmarked = (asked: readonly string[]): Map<string, string> => new Map(asked.map((tag) => [tag, '']))
    const marks = await this.#cache.getOrRefillMany(tags, unmarked, { ttl: UNMARKED_TTL })
    const marked = [...marks.values()].filter((mark) => mark !== '')
    return marked.length === 0 ? key : `${marked.toSorted().join(',')} ${key}`
  }

  /** Changes the marks of the tags that stand for paths. Rejects with the error of Redis. */
  async change(tags: readonly string[]): Promise<void> {
    const paths = tags.filter((tag) => tag.startsWith(PATH_TAG))
    await Promise.all(paths.map((tag) => this.#cache.set(tag, systemRandom.token(), { ttl: MARK_TTL })))
  }
}
