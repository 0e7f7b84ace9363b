import { createHash } from 'node:crypto'
import { fullKey, ownKey, PATH_STEP, pathOf } from '../full-key.ts'
import { splitVersion, VERSION_MARK, withVersion } from '../key-version.ts'

/** The keys of one cache entry: in one Cluster slot, of limited length, readable, and never shared by two full keys. */
export interface EntryKeys {
  readonly value: string
  /** The refill's lock, in the format of `Locker`. */
  readonly lease: string
  /** Set of the inboxes that wait for the running refill. */
  readonly waiters: string
  /** The token of the last lease, until a change follows it. */
  readonly last: string
}

/** Braces would move the hash tag; control characters must not reach logs and terminals; `%` is how both are escaped. */
// oxlint-disable-next-line no-control-regex
const UNWELCOME = /[%{}\u0000-\u001f\u007f-\u009f]/g
const LONGEST_READABLE = 200
const READABLE_REST = 100
/** Precedes the hash that replaces the rest of a key. In other keys `%` is never followed by this. */
const SHORTENED = '%#'
/** Precedes the version of a key that has one. In other keys `%` is never followed by this either. */
const VERSIONED = '%v'

export function entryKeys(prefix: string, key: string): EntryKeys {
  return entryKeysOf(prefix, readable(key))
}

/** The keys of the entry for a user's key of that form. */
export function entryKeysOf(prefix: string, form: string): EntryKeys {
  const value = `${entryKeysBeginning(prefix)}${form}}`
  return { value, lease: `${value}:lease`, waiters: `${value}:waiters`, last: `${value}:last` }
}

export function valueKey(prefix: string, key: string): string {
  return `${entryKeysBeginning(prefix)}${readable(key)}}`
}

/** The prefix of the keys of all entries; in a namespace, with its path. */
export function entryKeysBeginning(prefix: string, path = ''): string {
  return `${prefix}:{${path}`
}

/** The path of the namespace `name` inside that of `path`. */
export function pathInto(path: string, name: string): string {
  return path + readable(name) + PATH_STEP
}

/** The prefix of the keys of all tags. A tag in readable form and `}` follow. */
export function tagKeysBeginning(prefix: string): string {
  return `${prefix}:tag:{`
}

/**
 * The form of a key or tag in Redis. It is injective: `%` is always escaped, so nothing can imitate an escape, the `%#`
 * of a hash, the `%v` of a version or the end of a namespace's name.
 */
export function readable(key: string): string {
  if (key.includes(VERSION_MARK)) return readableVersion(key)
  if (isReadable(key)) return key
  const path = pathOf(key)
  if (path !== '') return path + readable(ownKey(key))
  const escaped = key.replace(UNWELCOME, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
  if (escaped.length <= LONGEST_READABLE) return escaped
  return `${escaped.slice(0, READABLE_REST).toWellFormed()}${SHORTENED}${createHash('sha256').update(key).digest('base64url')}`
}

function readableVersion(versioned: string): string {
  const { key, version = '' } = splitVersion(versioned)
  return readable(key) + VERSIONED + readable(version)
}

/** The key, with its version, or the tag that has that form in Redis. A shortened one ends as its form does. */
export function original(form: string): { key: string; shortened: boolean } {
  const step = form.lastIndexOf(PATH_STEP)
  const path = step === -1 ? '' : form.slice(0, step + PATH_STEP.length)
  const own = form.slice(path.length)
  if (own.includes(SHORTENED)) return { key: fullKey(path, own), shortened: true }
  const [key = '', version] = own.split(VERSIONED).map(unescaped)
  const full = fullKey(path, key)
  return { key: version === undefined ? full : withVersion(full, version), shortened: false }
}

function unescaped(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

/** Whether nothing needs to be escaped or shortened, as in nearly every key. */
function isReadable(key: string): boolean {
  if (key.length > LONGEST_READABLE) return false
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i)
    if (code < 0x20 || code === PERCENT || code === OPENING || (code >= CLOSING && code <= 0x9f && code !== TILDE))
      return false
  }
  return true
}

const PERCENT = 0x25
const OPENING = 0x7b
const CLOSING = 0x7d
const TILDE = 0x7e
