import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Backplane, type Change, type Heard } from '../../../../src/cache/shared/backplane.ts'
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

const NOTHING: Heard = { number: undefined, changes: [], lost: undefined }

/** As processes of earlier releases read what is not their own: kind, and what is named. */
function readAsBefore(message: string): [kind: string, name: string] | undefined {
  const sender = new FakeRandom(4).token()
  if (message.startsWith(sender)) return undefined
  return [message.charAt(sender.length), message.slice(sender.length + 1)]
}

/** As a script does it. */
const numbered = (message: string, number: number): string =>
  message.slice(0, 9) + number.toString(16).padStart(13, '0') + message.slice(22)
const joined = (messages: readonly string[]): string => {
  const changes = messages.map((message) => message.slice(22))
  return `${(messages[0] as string).slice(0, 22)}j${changes.map((each) => `${Buffer.byteLength(each)}:${each}`).join('')}`
}

describe('Backplane', () => {
  it('knows the number of a message, also of one of its own, and several changes that are told by one', () => {
    const changes: Change[] = ['a', 'b:1', 'ü😀', '7:j'].map((key) => ({ kind: 'key', key }))
    const message = numbered(joined(changes.map((change) => theirs.announce(change).message)), 1_796_025_756_412_000)
    const number = 1_796_025_756_412_000
    expect(ours.read(Buffer.from(message))).toEqual({
      ...{ number, lost: undefined },
      changes: changes.map((change) => ({ change, isEverywhere: false })),
    })
    expect(theirs.read(Buffer.from(message))).toEqual({ number, changes: [], lost: undefined })
  })

  it('does without numbers of those who have none: earlier releases', () => {
    const message = `${new FakeRandom(5).token()}k\0key`
    const changes = [{ change: { kind: 'key', key: 'key' }, isEverywhere: false }]
    expect(ours.read(Buffer.from(message))).toEqual({ number: undefined, changes, lost: undefined })
  })

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
        const heard = (change: Change, isEverywhere: boolean): Heard => {
          return { number: undefined, changes: [{ change, isEverywhere }], lost: undefined }
        }
        expect(ours.read(Buffer.from(message))).toEqual(heard(given, false))
        const wide = Buffer.from(everywhere.announce(given).message)
        expect(ours.read(wide)).toEqual(heard(given, true))
        expect(theirs.read(Buffer.from(message))).toEqual(NOTHING)
        expect(readAsBefore(message)).toEqual([message.slice(22, 23), message.slice(23)])
      }),
    )
  })

  it('is deaf to another prefix', () => {
    expect(new Backplane('other', new FakeRandom(3), false).channel).not.toBe(ours.channel)
  })

  it('takes what it cannot understand for nothing, and never throws', () => {
    expect(ours.read(Buffer.alloc(0))).toEqual(NOTHING)
    expect(ours.read(Buffer.from('hello'))).toEqual(NOTHING)
    expect(ours.read(Buffer.from(`${theirs.announce({ kind: 'all', path: '' }).message.slice(0, -1)}v\0key`))).toEqual(
      NOTHING,
    )
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(() => ours.read(Buffer.from(bytes))).not.toThrow()
      }),
    )
  })
})
