import type { RequestFields } from '../rules/fields.ts'
import { normalisedPreference, type Offers } from '../rules/vary-normalise.ts'
import { cookieValues } from './cookies.ts'

/** Options that say which part of a request's fields matters when a response varies on them. */
export interface SelectingRules {
  readonly varyNormalise: Offers | undefined
  readonly allowCookies: readonly string[] | undefined
}

/** The fields of a request in the form that selects a variant of a response. */
export function selectingFields(headers: RequestFields, rules: SelectingRules): RequestFields {
  const { varyNormalise, allowCookies } = rules
  if (varyNormalise === undefined && allowCookies === undefined) return headers
  const view: Record<string, string | readonly string[] | undefined> = { ...headers }
  for (const [name, offered] of Object.entries(varyNormalise ?? {})) {
    const value = view[name]
    if (typeof value === 'string') view[name] = normalisedPreference(name, value, offered)
  }
  if (allowCookies !== undefined && view['cookie'] !== undefined) {
    const values = cookieValues(String(view['cookie']), allowCookies)
    const kept = allowCookies.flatMap((name, index) =>
      values[index] === undefined ? [] : [`${name}=${values[index]}`],
    )
    view['cookie'] = kept.length === 0 ? undefined : kept.join('; ')
  }
  return view
}
