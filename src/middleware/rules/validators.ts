import type { FieldMap } from './fields.ts'

/** The parts of a stored response by which a handler can be asked about it. */
export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

/**
 * Whether a 304 is about the stored response: RFC 9111 section 4.3.4. A 304 without a validator is about the response that
 * the handler was asked about.
 */
export function confirms(update: FieldMap, stored: Validators): boolean {
  const etag = update.get('etag')
  if (etag !== undefined) return stored.etag !== undefined && matchesWeakly(etag, stored.etag)
  const lastModified = update.get('last-modified')
  return lastModified === undefined || lastModified === stored.lastModified
}

/** Weak comparison of two entity tags, RFC 9110 section 8.8.3.2. */
export function matchesWeakly(one: string, other: string): boolean {
  return opaqueOf(one) === opaqueOf(other)
}

export function matchesStrongly(one: string, other: string): boolean {
  return one === other && !isWeak(one)
}

/** The entity tags of an If-None-Match or If-Range. Text without quotes between commas and blanks is taken as it is. */
export function entityTags(list: string): string[] {
  const tags: string[] = []
  let index = 0
  while (index < list.length) {
    if (isSeparator(list[index])) {
      index++
      continue
    }
    const start = index
    const quote = list.startsWith('W/"', index) ? index + 2 : index
    const end = list[quote] === '"' ? list.indexOf('"', quote + 1) : -1
    if (end >= 0) index = end + 1
    else while (index < list.length && !isSeparator(list[index])) index++
    tags.push(list.slice(start, index))
    // A quote that is never closed: no more tags can be told apart.
    if (end < 0 && list[quote] === '"') break
  }
  return tags
}

function isSeparator(character: string | undefined): boolean {
  return character === ',' || character === ' ' || character === '\t'
}

function isWeak(etag: string): boolean {
  return etag.startsWith('W/')
}

function opaqueOf(etag: string): string {
  return isWeak(etag) ? etag.slice(2) : etag
}
