import type { Cache } from '../cache/cache.ts'
import { systemRandom } from '../random.ts'

/** Begins the tags that Next makes of paths. Entries do not have them: whoever asks says on behalf of which paths. */
const PATH_TAG = '_N_T_'
/** ms for which it is remembered that a path was never revalidated. Bounds what many paths take of Redis. */
const UNMARKED_TTL = 60_000
/** ms for which a mark is kept: longer than any entry that was made before it. */
const MARK_TTL = 365 * 24 * 60 * 60 * 1000

/**
 * What `revalidatePath` does to entries that any path may use: each path that was revalidated has a mark, another one after
 * each time, and the marks of the paths on whose behalf an entry is asked for are part of its key. So nobody's clock matters:
 * what began before a revalidation is kept under a key that is asked for no more.
 */
export class PathMarks {
  readonly #cache: Cache

  constructor(cache: Cache) {
    this.#cache = cache
  }

  /** What `key` becomes on behalf of the paths that these tags stand for. */
  async keyFor(key: string, tags: readonly string[]): Promise<string> {
    if (tags.length === 0) return key
    const unmarked = (asked: readonly string[]): Map<string, string> => new Map(asked.map((tag) => [tag, '']))
    const marks = await this.#cache.getOrRefillMany(tags, unmarked, { ttl: UNMARKED_TTL })
    const marked = [...marks.values()].filter((mark) => mark !== '')
    return marked.length === 0 ? key : `${marked.toSorted().join(',')} ${key}`
  }

  /** Changes the marks of those of the tags that stand for paths. Rejects with Redis's error. */
  async change(tags: readonly string[]): Promise<void> {
    const paths = tags.filter((tag) => tag.startsWith(PATH_TAG))
    await Promise.all(paths.map((tag) => this.#cache.set(tag, systemRandom.token(), { ttl: MARK_TTL })))
  }
}
