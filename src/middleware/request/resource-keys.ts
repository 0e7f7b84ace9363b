/**
 * The keys of one resource. GET and HEAD have their own, and so have requests with credentials. Those share only what is
 * explicitly public, and what is known to be unshareable for them says nothing about other requests.
 */
export interface ResourceKeys {
  /** For this request. */
  readonly own: string
  /** For a GET without credentials. */
  readonly anonymous: string
  /** For a GET that differs from this request in the method alone. */
  readonly get: string
}

export function keysOf(resource: string, isHead: boolean, isPersonal: boolean): ResourceKeys {
  const get = isPersonal ? `Gp${resource}` : `Ga${resource}`
  return {
    own: isHead ? (isPersonal ? `Hp${resource}` : `Ha${resource}`) : get,
    anonymous: `Ga${resource}`,
    get,
  }
}

/** All keys that must go when a resource has changed. */
export function allKeys(resource: string): string[] {
  return [`Ga${resource}`, `Gp${resource}`, `Ha${resource}`, `Hp${resource}`]
}
