/**
 * The keys of one resource. GET and HEAD have their own, and so have requests that identify someone: among them only
 * what is explicitly public is ever shared, and what they learn to be unshareable says nothing about the others.
 */
export interface ResourceKeys {
  /** For the request at hand. */
  readonly own: string
  /** For a GET by nobody in particular. */
  readonly anonymous: string
  /** For a GET that differs from the request at hand in the method alone. */
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

/** All that has to go when a resource has changed. */
export function allKeys(resource: string): string[] {
  return [`Ga${resource}`, `Gp${resource}`, `Ha${resource}`, `Hp${resource}`]
}
