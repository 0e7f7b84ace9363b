/**
 * Stands between a key and the version of its value. Two first halves of surrogate pairs: they never follow each other in
 * a key that was checked, so a key with a version is never another key without.
 */
export const VERSION_MARK = '\ud800\ud800'

/** The key under which that version of the value is kept. */
export function withVersion(key: string, version: string): string {
  return key + VERSION_MARK + version
}

/** The key as its user knows it, and the version if it has one. */
export function splitVersion(key: string): { readonly key: string; readonly version: string | undefined } {
  const at = key.indexOf(VERSION_MARK)
  return at === -1
    ? { key, version: undefined }
    : { key: key.slice(0, at), version: key.slice(at + VERSION_MARK.length) }
}

export function withoutVersion(key: string): string {
  return splitVersion(key).key
}
