import type { ResponseHead } from '../fill/source.ts'
import { type Baseline, FieldMap, fieldsNamed, without } from '../rules/fields.ts'
import { type Asked, judge, type Policy, type Shared, withheldBy } from '../rules/storable.ts'
import { confirms } from '../rules/validators.ts'
import { type StorableHead, storableHead } from './response-head.ts'
import type { StoredResponse } from './stored-response.ts'

type Head = StorableHead & ResponseHead

/** What a 304 makes of the stored response that it is the answer to. */
export type Freshened =
  /** Its validator is another one's: it says nothing about the stored response, which must go. */
  | { readonly kind: 'about-another'; readonly head: Head }
  /** It is still good for the client that asked, and no longer for others. */
  | { readonly kind: 'not-for-others'; readonly head: Head; readonly reason: string; readonly lasting: boolean }
  /** It gets new fields and a new life. `head` is for the client that asked, `kept` for the store. */
  | {
      readonly kind: 'good'
      readonly verdict: Shared
      readonly judged: FieldMap
      readonly head: Head
      readonly kept: Head
    }

/** RFC 9111 section 4.3.4. */
export function freshen(
  stored: StoredResponse,
  update: ResponseHead,
  { asked, policy, baseline }: { asked: Asked; policy: Policy; baseline: Baseline },
  respondedAt: number,
): Freshened {
  if (!confirms(new FieldMap(update.fields), stored)) {
    const { status, statusMessage: message, fields, removed, joins } = stored
    return { kind: 'about-another', head: { status, message, fields, removed, joins } }
  }
  const head = freshenedHead(stored, update, baseline, respondedAt)
  // Its Age is not stored, but says how long the new life is.
  const judged = new FieldMap([...head.fields, ...fieldsNamed(update.fields, 'age')])
  const verdict = judge(asked, { status: stored.status, fields: judged, at: respondedAt }, policy)
  if (!verdict.share) return { kind: 'not-for-others', head, reason: verdict.reason, lasting: verdict.lasting }
  return { kind: 'good', verdict, judged, head, kept: keptOfFreshened(head, stored, verdict, policy.targetedFields) }
}

/** Fields that describe the stored body as it is; a 304 cannot change them. */
const OF_THE_BODY = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range', 'etag'])

/** The header of a stored response with the fields of a 304 in their place: RFC 9111 section 3.2. */
function freshenedHead(
  stored: StoredResponse,
  update: ResponseHead,
  baseline: Baseline,
  respondedAt: number,
): StorableHead & Pick<ResponseHead, 'status' | 'message'> {
  // What outer layers have set on the 304 is not the handler's word.
  const own = storableHead(update, new FieldMap(update.fields), [], baseline, respondedAt).fields
  const updated = new Set([...new FieldMap(own).names()].filter((name) => !OF_THE_BODY.has(name)))
  const fields = [...without(stored.fields, updated), ...without(own, OF_THE_BODY)]
  return { status: stored.status, message: stored.statusMessage, fields, removed: stored.removed, joins: stored.joins }
}

/** What of a freshened header may be stored: no field that the stored response or the new verdict withholds. */
function keptOfFreshened<Head extends StorableHead>(
  head: Head,
  stored: StoredResponse,
  { withheld }: Shared,
  targetedFields: readonly string[],
): Head {
  const before = withheldBy(new FieldMap(stored.fields), targetedFields)
  return { ...head, fields: without(head.fields, new Set([...before, ...withheld])) }
}
