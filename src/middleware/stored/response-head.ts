import type { Baseline } from '../node/background.ts'
import { FieldMap, type FlatFields, type RequestFields, unstorableNames, without } from '../rules/fields.ts'
import { formatHttpDate } from '../rules/http-date.ts'
import type { ResponseHead } from '../node/recording.ts'
import { type Shared, withheldBy } from '../rules/storable.ts'
import { StoredResponse } from './stored-response.ts'
import { selectingValue } from '../rules/vary.ts'

/** The header of a response as it is stored, but for Content-Length, which the end of the body decides. */
export interface StorableHead {
  readonly fields: FlatFields
  readonly removed: readonly string[]
}

/**
 * What of a header may be stored: without what belongs to the connection or is withheld, and without what outer layers
 * had set before and will set again, each time for the request at hand (a request id, CORS for its origin).
 */
export function storableHead(
  head: ResponseHead,
  fields: FieldMap,
  withheld: readonly string[],
  baseline: Baseline,
  respondedAt: number,
): StorableHead {
  const left = new Set([...unstorableNames(fields), ...withheld, 'age'])
  const removed: string[] = []
  for (const [name, value] of baseline) {
    const lines = fields.lines(name)
    if (lines.length === 0) removed.push(name)
    else if (lines.join('\n') === (typeof value === 'string' ? value : value.join('\n'))) left.add(name)
  }
  const kept = without(head.fields, left)
  if (!fields.has('date')) kept.push('Date', formatHttpDate(respondedAt))
  return { fields: kept, removed }
}

/** Fields that describe the stored body as it is; a 304 cannot change them. */
const OF_THE_BODY = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range', 'etag'])

/** The header of a stored response with the fields of a 304 in their place: RFC 9111 section 3.2. */
export function freshenedHead(
  stored: StoredResponse,
  update: ResponseHead,
  baseline: Baseline,
  respondedAt: number,
): StorableHead & Pick<ResponseHead, 'status' | 'message'> {
  // What outer layers have set on the 304 is not the handler's word.
  const own = storableHead(update, new FieldMap(update.fields), [], baseline, respondedAt).fields
  const updated = new Set([...new FieldMap(own).names()].filter((name) => !OF_THE_BODY.has(name)))
  const fields = [...without(stored.fields, updated), ...without(own, OF_THE_BODY)]
  return { status: stored.status, message: stored.statusMessage, fields, removed: stored.removed }
}

/** What of a freshened header may be stored: no field that the stored response or the new verdict withholds. */
export function keptOfFreshened<Head extends StorableHead>(
  head: Head,
  stored: StoredResponse,
  { withheld }: Shared,
  targetedFields: readonly string[],
): Head {
  const before = withheldBy(new FieldMap(stored.fields), targetedFields)
  return { ...head, fields: without(head.fields, new Set([...before, ...withheld])) }
}

/** The response to store: a header that may be, the whole body, and what the verdict and the request say about both. */
export function responseOf(
  head: StorableHead & ResponseHead,
  body: Buffer,
  { lifetime, mustValidate, explicit, vary }: Shared,
  requestHeaders: RequestFields,
  respondedAt: number,
): StoredResponse {
  return new StoredResponse({
    ...{ status: head.status, statusMessage: head.message, fields: head.fields, removed: head.removed },
    ...{ body, respondedAt, lifetime, mustValidate, explicit },
    selecting: vary.map((name) => [name, selectingValue(requestHeaders, name) ?? null] as const),
  })
}
