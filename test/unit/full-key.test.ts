import { describe, expect, it } from 'vitest'
import { fullKey, isWithin, ownKey, pathOf, pathsAround, shownKey } from '../../src/full-key.ts'

describe('fullKey', () => {
  const inner = fullKey('a%/b%/', 'key')

  it('of the cache itself is the key as it is', () => {
    expect(fullKey('', 'key')).toBe('key')
    expect([pathOf('key'), ownKey('key'), shownKey('key'), pathsAround('key')]).toEqual(['', 'key', 'key', []])
  })

  it.each(['key', '\0', 'a%/b', '\0key'])('keeps path and key apart: %o', (key) => {
    const full = fullKey('a%/b%/', key)
    expect([pathOf(full), ownKey(full)]).toEqual(['a%/b%/', key])
  })

  it('cannot be imitated by a key that looks like it', () => {
    const [mark] = inner.split('a%/')
    expect((mark as string).length).toBeGreaterThan(20)
    expect(pathOf('\0a%/b%/\0key')).toBe('')
  })

  it('is within the namespaces around it, and in no other', () => {
    const paths = ['', 'a%/', 'a%/b%/', 'b%/', 'a%/b%/c%/']
    expect(paths.map((path) => isWithin(inner, path))).toEqual([true, true, true, false, false])
    expect([isWithin(fullKey('ab%/', 'key'), 'a%/'), isWithin('a%/b%/key', 'a%/')]).toEqual([false, false])
    expect(pathsAround(inner)).toEqual(['a%/', 'a%/b%/'])
  })

  it('is shown as seen from a namespace around it', () => {
    expect(['', 'a%/', 'a%/b%/'].map((from) => shownKey(inner, from))).toEqual(['a/b/key', 'b/key', 'key'])
  })
})
