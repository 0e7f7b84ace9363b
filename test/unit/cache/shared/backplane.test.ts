import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backplane, type Change } from '../../../../src/cache/shared/backplane.ts'
import { fullKey } from '../../../../src/full-key.ts'
import { withVersion } from '../../../../src/key-version.ts'
import { pathInto } from '../../../../src/redis/entry-keys.ts'
import { FakeRandom } from '../../../support/fake-random.ts'

const ours = new Backplane('prefix', new FakeRandom(1), false)
const theirs = new Backplane('prefix', new FakeRandom(2), false)
const everywhere = new Backplane('prefix', new FakeRandom(3), true)
const text = fc.string({ unit: 'binary', minLength: 1 }).filter((each) => each.isWellFormed())
const path = fc.oneof(
  fc.constant(''),
  text.map((name) => pathInto('', name)),
)
const name = fc.tuple(path, text).map(([of, own]) => fullKey(of, own))

describe('Backplane', () => {
  it('carries a change of any key or tag to the others, and not back to its sender', () => {
    const change: fc.Arbitrary<Change> = fc.oneof(
      name.map((key) => ({ kind: 'key' as const, key })),
      fc.tuple(name, name).map(([key, version]) => ({ kind: 'key' as const, key: withVersion(key, version) })),
      name.map((tag) => ({ kind: 'tag' as const, tag })),
      path.map((of) => ({ kind: 'all' as const, path: of })),
      name.map((key) => ({ kind: 'expired-key' as const, key })),
      fc.tuple(name, name).map(([key, version]) => ({ kind: 'expired-key' as const, key: withVersion(key, version) })),
      fc.tuple(name, fc.nat()).map(([tag, over]) => ({ kind: 'expired-tag' as const, tag, over })),
    )
    fc.assert(
      fc.property(change, (given) => {
        const { channel, message } = theirs.announce(given)
        expect(channel).toBe(ours.channel)
        expect(ours.read(Buffer.from(message))).toEqual({ change: given, isEverywhere: false })
        const wide = Buffer.from(everywhere.announce(given).message)
        expect(ours.read(wide)).toEqual({ change: given, isEverywhere: true })
        expect(theirs.read(Buffer.from(message))).toBeUndefined()
      }),
    )
  })

  it('is deaf to another prefix', () => {
    expect(new Backplane('other', new FakeRandom(3), false).channel).not.toBe(ours.channel)
  })

  it('takes what it cannot understand for nothing, and never throws', () => {
    expect(ours.read(Buffer.alloc(0))).toBeUndefined()
    expect(ours.read(Buffer.from('hello'))).toBeUndefined()
    expect(
      ours.read(Buffer.from(`${theirs.announce({ kind: 'all', path: '' }).message.slice(0, -1)}v\0key`)),
    ).toBeUndefined()
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => ours.read(Buffer.from(bytes))).not.toThrow()
      }),
    )
  })
})
