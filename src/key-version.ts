/**
 * Separates a key from the version of its value. It is two first halves of surrogate pairs, which never follow each other
 * in a checked key. So a key with a version never equals a key without one.
 */
export const VERSION_MARK = '\ud800\ud800'

/** The key of that version of the value. */
export function withVersion(key: string, version: string): string {
  return key + VERSION_MARK + version
}

/** The key as users know it, and the version if there is one. */
export function splitVersion(key: string): { readonly key: string; readonly version: string | undefined } {
  const at = key.indexOf(VERSION_MARK)
  return at === -1
    ? { key, version: undefined }
    : { key: key.slice(0, at), version: key.slice(at + VERSION_MARK.length) }
}

export function withoutVersion(key: string): string {
  return splitVersion(key).key
}
