import { systemRandom } from './random.ts'

/*
 * Full keys: what a cache's inside calls its entries and tags. Of the cache itself that is the user's key as it is. In a
 * namespace a mark and the namespace's path come before it, so that one owner can keep the entries of all. No user can
 * guess the mark, and so imitate a full key; it never leaves the process.
 *
 * A path is what the keys of a namespace begin with in Redis: its names, outermost first, each in readable form (see
 * `redis/entry-keys.ts`) and followed by `PATH_STEP`. That of the cache itself is empty.
 */

const MARK = `\0${systemRandom.token()}`
const MARK_END = '\0'
const NONE: readonly string[] = []

/** Ends each name of a path. No name in readable form contains it. */
export const PATH_STEP = '%/'

export function fullKey(path: string, key: string): string {
  return path === '' ? key : MARK + path + MARK_END + key
}

/** The path of the namespace that the key belongs to. */
export function pathOf(full: string): string {
  return full.startsWith(MARK) ? full.slice(MARK.length, full.indexOf(MARK_END, MARK.length)) : ''
}

/** The key as users of its namespace know it. */
export function ownKey(full: string): string {
  return full.startsWith(MARK) ? full.slice(full.indexOf(MARK_END, MARK.length) + 1) : full
}

/** Whether the key belongs to that namespace, or to one inside it. */
export function isWithin(full: string, path: string): boolean {
  return path === '' || full.startsWith(MARK + path)
}

/** The paths of the namespaces that contain the key, outermost first. */
export function pathsAround(full: string): readonly string[] {
  if (!full.startsWith(MARK)) return NONE
  const names = pathOf(full).split(PATH_STEP).slice(0, -1)
  return names.map((_, i) => names.slice(0, i + 1).join(PATH_STEP) + PATH_STEP)
}

/** The key for people, as seen from a namespace that contains it: `users/42` is 42 in the namespace `users`. */
export function shownKey(full: string, from = ''): string {
  const path = pathOf(full)
  return path === '' ? full : path.slice(from.length).replaceAll(PATH_STEP, '/') + ownKey(full)
}
