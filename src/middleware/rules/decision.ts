import { FieldMap, type FlatFields } from './fields.ts'
import { type Asked, judge, type Policy, type Shared } from './storable.ts'

/** What a run's head means for the requests that wait, and for the store. */
export type Decision =
  /** The handler says that the stored response is still good. */
  | { readonly act: 'validate' }
  /** The handler failed, and a stale response can replace its answer. */
  | { readonly act: 'fall-back'; readonly reason: string }
  /** Others may have it, and it is recorded to be stored. */
  | { readonly act: 'share'; readonly verdict: Shared }
  /** It is for this client alone. `lasting`: the next answer is likely to be of the same kind. */
  | { readonly act: 'refuse'; readonly reason: string; readonly lasting: boolean }

/** What the decision depends on besides the head. */
export interface Circumstances {
  readonly asked: Asked
  readonly isHead: boolean
  readonly policy: Policy
  /** Whether the handler was asked about a stored response. */
  readonly validates: boolean
  /** Whether a stale response may replace a failure. */
  readonly canFallBack: boolean
  /** Bytes of the largest body that is stored, and what all fills together may still hold. */
  readonly maxBodyBytes: number
  readonly roomLeft: number
  /** Wall clock when the head came, ms. */
  readonly at: number
}

/** Statuses that a stale response may replace: RFC 5861 section 4. */
const SERVER_FAILED = new Set([500, 502, 503, 504])

/** The one decision of a run, taken when its head has come. */
export function decide(
  { status, fields: flat }: { status: number; fields: FlatFields },
  about: Circumstances,
): Decision {
  if (status === 304 && about.validates) return { act: 'validate' }
  if (SERVER_FAILED.has(status) && about.canFallBack) {
    return { act: 'fall-back', reason: `the handler answered ${status}` }
  }
  const fields = new FieldMap(flat)
  const verdict = judge(about.asked, { status, fields, at: about.at }, about.policy)
  if (!verdict.share) return { act: 'refuse', reason: verdict.reason, lasting: verdict.lasting }
  if (about.isHead) {
    // After a validation there would be no body to send.
    return verdict.mustValidate ? { act: 'refuse', reason: 'head', lasting: true } : { act: 'share', verdict }
  }
  const declared = Number(fields.get('content-length') ?? 0)
  if (declared > about.maxBodyBytes) return { act: 'refuse', reason: 'too-large', lasting: true }
  if (declared > about.roomLeft) return { act: 'refuse', reason: 'fills-full', lasting: false }
  return { act: 'share', verdict }
}

/** Why a response may not be shared after all, by its header as outer layers have left it. */
export function whyRefused(
  { status, fields }: { status: number; fields: FlatFields },
  { asked, policy }: Pick<Circumstances, 'asked' | 'policy'>,
  at: number,
): string | undefined {
  const verdict = judge(asked, { status, fields: new FieldMap(fields), at }, policy)
  return verdict.share ? undefined : verdict.reason
}
