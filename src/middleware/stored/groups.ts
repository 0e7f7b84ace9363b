import type { IncomingMessage } from 'node:http'

import type { FieldMap } from '../rules/fields.ts'
import { hostOf, isEncrypted } from '../request/edge.ts'
import { parseGroups } from '../rules/targeted-fields.ts'

/** RFC 9875 asks for at least 32; the cache takes 100 tags for an entry, and each group has two. */
const MAX_GROUPS = 50

/**
 * The cache's tags of a response: each of its Cache-Groups (RFC 9875) by its plain name, for `cache.invalidateTags`, and
 * by its name at this host, for a Cache-Group-Invalidation that comes from there.
 */
export function tagsOf(req: IncomingMessage, fields: FieldMap): readonly string[] {
  const groups = parseGroups(fields.get('cache-groups')).slice(0, MAX_GROUPS)
  return groups.flatMap((group) => [group, scoped(req, group)])
}

/** The tags that a response to an unsafe request invalidates. */
export function invalidatedTags(req: IncomingMessage, fields: FieldMap): readonly string[] {
  return parseGroups(fields.get('cache-group-invalidation')).map((group) => scoped(req, group))
}

function scoped(req: IncomingMessage, group: string): string {
  return `${isEncrypted(req) ? 'https' : 'http'}://${hostOf(req).toLowerCase()} ${group}`
}
