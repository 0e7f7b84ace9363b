import { spread } from '../redis/spread.ts'
import type { Envelope } from './envelope.ts'

/** The content of a tag's key, described in `redis/scripts/touch-tag.ts`. Times are in µs on the clock of its Redis. */
interface TagRecord {
  readonly invalidatedAt: number
  readonly expiries: readonly { readonly at: number; readonly over: number }[]
}

/** For a tag whose key is gone or holds something else. Nothing is known of it, so its entries count as invalidated. */
const LOST: TagRecord = { invalidatedAt: Infinity, expiries: [] }

function read(text: unknown): TagRecord {
  if (typeof text !== 'string' || !/^\d+( \d+ \d+)*$/.test(text)) return LOST
  const [invalidatedAt = 0, ...rest] = text.split(' ').map(Number)
  const expiries = Array.from({ length: rest.length / 2 }, (_, i) => {
    return { at: rest[2 * i] as number, over: rest[2 * i + 1] as number }
  })
  return { invalidatedAt, expiries }
}

/** The time of the last invalidation or expiry of the tag, 0 for none. `text` is `null` if nothing has needed the tag. */
export function lastChangeIn(text: unknown): number {
  if (text === null) return 0
  const { invalidatedAt, expiries } = read(text)
  return Math.max(invalidatedAt, ...expiries.map(({ at }) => at))
}

/** The parts of an entry that tags affect. */
type Tagged = Pick<Envelope, 'freshUntil' | 'staleUntil' | 'errorUntil' | 'tags'>

/**
 * What its tags leave of an entry at `now`, in ms on Redis's clock: the entry itself, or one whose ttl they have ended, with
 * its windows counted from there. `undefined` if a tag was invalidated since the entry's load began, or if nothing of the
 * windows is left. `texts`: the contents of the tags' keys, in order. `form`: the key in readable form.
 */
export function leftBy<E extends Tagged>(
  texts: readonly unknown[],
  entry: E,
  form: string,
  now: number,
): E | undefined {
  let ends = Infinity
  for (const [i, [, startedAt]] of entry.tags.entries()) {
    const { invalidatedAt, expiries } = read(texts[i])
    if (invalidatedAt >= startedAt) return undefined
    for (const { at, over } of expiries) {
      if (at >= startedAt) ends = Math.min(ends, Math.floor(at / 1000) + spread(form, over))
    }
  }
  const { freshUntil, staleUntil, errorUntil } = entry
  const earlier = freshUntil - ends
  if (earlier <= 0) return entry
  const left = { ...entry, freshUntil: ends, staleUntil: staleUntil - earlier, errorUntil: errorUntil - earlier }
  return now < Math.max(ends, left.staleUntil, left.errorUntil) ? left : undefined
}
