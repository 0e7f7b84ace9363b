import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fullKey } from '../../../src/full-key.ts'
import { withVersion } from '../../../src/key-version.ts'
import { entryKeys, entryKeysBeginning, original, pathInto, readable } from '../../../src/redis/entry-keys.ts'
import { hashSlot } from '../../../src/redis/hash-slot.ts'

/** Texts as users make them, and keys made of the very pieces that our own are made of. */
const text = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.isWellFormed()),
  fc
    .array(fc.constantFrom('{', '}', '%', '%7b', '%#', '%v', '%v2', ':lease', ':waiters', '\0', '\n', 'a', 'ü', '🦜'), {
      minLength: 1,
    })
    .map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', minLength: 150, maxLength: 400 }).filter((text) => text.isWellFormed()),
)

/** Full keys: of the cache itself, and of namespaces in it. */
const full = fc
  .tuple(fc.array(text, { maxLength: 2 }), text)
  .map(([names, own]) => fullKey(names.reduce(pathInto, ''), own))
/** Without a version and with one. */
const key = fc.oneof(
  { weight: 2, arbitrary: full },
  { weight: 1, arbitrary: fc.tuple(full, text).map(([name, version]) => withVersion(name, version)) },
)

const all = (userKey: string, prefix = 'herdlock'): string[] => Object.values(entryKeys(prefix, userKey)) as string[]

/** The slot as Redis finds it: of what stands between the first `{` and the next `}`, if anything does. */
function slotOf(redisKey: string): number {
  return hashSlot(/\{([^}]+)\}/.exec(redisKey)?.[1] ?? redisKey)
}

describe('entryKeys', () => {
  it('gives no two user keys a key in common', () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        fc.pre(one !== other)
        const ours = new Set(all(one))
        expect(all(other).filter((each) => ours.has(each))).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  it('gives no two long keys that begin alike a key in common', () => {
    const start = 'x'.repeat(300)
    fc.assert(
      fc.property(key, key, (one, other) => {
        fc.pre(one !== other)
        expect(entryKeys('p', start + one).value).not.toBe(entryKeys('p', start + other).value)
      }),
    )
  })

  it('cannot be made to give a short key the name of a long one', () => {
    const long = 'x'.repeat(1000)
    const shown = /\{(.*)\}/.exec(entryKeys('p', long).value)?.[1] as string
    expect(entryKeys('p', shown).value).not.toBe(entryKeys('p', long).value)
  })

  it('keeps the keys of one entry in one slot', () => {
    fc.assert(
      fc.property(key, (userKey) => {
        expect(new Set(all(userKey).map(slotOf)).size).toBe(1)
      }),
    )
  })

  it.each([1, 200, 201, 10_000, 1 << 20])('is bounded for a key of %i characters', (length) => {
    for (const unit of ['x', '%', '\0', 'ü', '🦜']) {
      for (const ours of all(unit.repeat(length))) expect(Buffer.byteLength(ours)).toBeLessThan(1000)
    }
  })

  it('shows no control character and is well formed', () => {
    fc.assert(
      fc.property(key, (userKey) => {
        for (const ours of all(userKey)) {
          expect(ours).not.toMatch(/\p{Cc}/u)
          expect(ours.isWellFormed()).toBe(true)
        }
      }),
    )
  })

  it('begins with the path of its namespace, and of no other', () => {
    fc.assert(
      fc.property(text, text, text, (name, other, own) => {
        fc.pre(name !== other)
        const beginning = entryKeysBeginning('p', pathInto('', name))
        const begins = (full: string): boolean => entryKeys('p', full).value.startsWith(beginning)
        expect(begins(fullKey(pathInto('', name), own))).toBe(true)
        expect(begins(fullKey(pathInto(pathInto('', name), other), own))).toBe(true)
        expect(begins(fullKey(pathInto('', other), own))).toBe(false)
        expect(begins(own)).toBe(false)
      }),
      { numRuns: 500 },
    )
    expect(entryKeys('herdlock', fullKey(pathInto('', 'users'), '42')).value).toBe('herdlock:{users%/42}')
  })

  it('stays readable for ordinary keys', () => {
    expect(entryKeys('herdlock', 'user:42')).toMatchObject({
      value: 'herdlock:{user:42}',
      lease: 'herdlock:{user:42}:lease',
      waiters: 'herdlock:{user:42}:waiters',
    })
    expect(entryKeys('herdlock', withVersion('user:42', '2')).value).toBe('herdlock:{user:42%v2}')
  })
})

describe('original', () => {
  it('is the key that was made readable, unless that was shortened', () => {
    fc.assert(
      fc.property(key, (one) => {
        const form = readable(one)
        const isWhole = original(form).key === one && !original(form).shortened
        expect(isWhole || (original(form).shortened && form.length > 100)).toBe(true)
        expect(entryKeys('p', original(form).key).value === entryKeys('p', one).value).toBe(isWhole)
      }),
      { numRuns: 1000 },
    )
    expect(original(readable('x'.repeat(201))).shortened).toBe(true)
    expect(original(readable('100%v {sure}'))).toEqual({ key: '100%v {sure}', shortened: false })
    expect(original(readable('100%# {sure}'))).toEqual({ key: '100%# {sure}', shortened: false })
  })
})
