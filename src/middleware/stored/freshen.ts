import type { ResponseHead } from '../fill/source.ts'
import { type Baseline, FieldMap, fieldsNamed, without } from '../rules/fields.ts'
import { type Asked, judge, type Policy, type Shared, withheldBy } from '../rules/storable.ts'
import { unitedVary } from '../rules/vary.ts'
import { confirms } from '../rules/validators.ts'
import { type StorableHead, storableHead } from './response-head.ts'
import type { StoredResponse } from './stored-response.ts'

type Head = StorableHead & ResponseHead

/** What becomes of a stored response by the 304 that answers for it. */
export type Freshened =
  /** The 304 has another validator. It says nothing about the stored response, which must go. */
  | { readonly kind: 'about-another'; readonly head: Head }
  /** The stored response is still good for the client that asked, but no longer for others. */
  | { readonly kind: 'not-for-others'; readonly head: Head; readonly reason: string; readonly lasting: boolean }
  /** The stored response gets new fields and a new life. `head` is for the client that asked, `kept` for the store. */
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
  // The Age of the 304 is not stored, but decides how long the new life is.
  const judged = new FieldMap([...head.fields, ...fieldsNamed(update.fields, 'age')])
  const verdict = judge(asked, { status: stored.status, fields: judged, at: respondedAt }, policy)
  if (!verdict.share) return { kind: 'not-for-others', head, reason: verdict.reason, lasting: verdict.lasting }
  return { kind: 'good', verdict, judged, head, kept: keptOfFreshened(head, stored, verdict, policy.targetedFields) }
}

/** Fields that describe the stored body as it is; a 304 cannot change them. */
const OF_THE_BODY = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range', 'etag'])

/** The header of a stored response, updated by the fields of a 304: RFC 9111 section 3.2. */
function freshenedHead(
  stored: StoredResponse,
  changes: ResponseHead,
  baseline: Baseline,
  respondedAt: number,
): StorableHead & Pick<ResponseHead, 'status' | 'message'> {
  // Fields that outer layers have set on the 304 are not the handler's.
  const own = storableHead(changes, new FieldMap(changes.fields), [], baseline, respondedAt).fields
  const update = new FieldMap(own)
  const updated = new Set([...update.names()].filter((name) => !OF_THE_BODY.has(name)))
  const vary = bothVary(stored.get('vary'), update.get('vary'))
  const left = vary === undefined ? OF_THE_BODY : new Set([...OF_THE_BODY, 'vary'])
  const fields = [
    ...without(stored.fields, updated),
    ...without(own, left),
    ...(vary === undefined ? [] : ['Vary', vary]),
  ]
  return { status: stored.status, message: stored.statusMessage, fields, removed: stored.removed, joins: stored.joins }
}

/** The stored body was selected by all fields in its Vary. A 304 need not name them again. */
function bothVary(stored: string | undefined, update: string | undefined): string | undefined {
  if (stored === undefined || update === undefined) return undefined
  return unitedVary([stored, update])
}

/** The part of a freshened header that may be stored: no field that the stored response or the new verdict withholds. */
function keptOfFreshened<Head extends StorableHead>(
  head: Head,
  stored: StoredResponse,
  { withheld }: Shared,
  targetedFields: readonly string[],
): Head {
  const before = withheldBy(new FieldMap(stored.fields), targetedFields)
  return { ...head, fields: without(head.fields, new Set([...before, ...withheld])) }
}
