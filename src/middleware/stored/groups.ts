import type { FieldMap } from '../rules/fields.ts'
import { parseGroups } from '../rules/targeted-fields.ts'

/** RFC 9875 asks for at least 32; the cache takes 100 tags for an entry, and each group has two. */
const MAX_GROUPS = 50

/**
 * The cache's tags of a response. Each of its Cache-Groups (RFC 9875) has two: its plain name, for `cache.invalidateTags`,
 * and its origin (scheme and host) with the name, for a Cache-Group-Invalidation from that origin.
 */
export function tagsOf(origin: string, fields: FieldMap): readonly string[] {
  const groups = parseGroups(fields.get('cache-groups')).slice(0, MAX_GROUPS)
  return groups.flatMap((group) => [group, scoped(origin, group)])
}

/** The tags that a response to an unsafe request invalidates. */
export function invalidatedTags(origin: string, fields: FieldMap): readonly string[] {
  return parseGroups(fields.get('cache-group-invalidation')).map((group) => scoped(origin, group))
}

function scoped(origin: string, group: string): string {
  return `${origin} ${group}`
}
