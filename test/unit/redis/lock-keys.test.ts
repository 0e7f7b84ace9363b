import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashSlot } from '../../../src/redis/hash-slot.ts'
import { lockKeys } from '../../../src/redis/lock-keys.ts'

const key = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.isWellFormed()),
  fc.array(fc.constantFrom('{', '}', '{}', 'a', ':', 'ü', '\0'), { minLength: 1 }).map((parts) => parts.join('')),
)

/** All that `lockKeys` looks at. */
const clientWith = (keyPrefix = ''): { keyPrefix: string } => ({ keyPrefix })

/** Redis's own rule, in other words than the code under test uses. */
function slotOf(redisKey: string): number {
  const [, rest] = splitAt(redisKey, '{')
  if (rest === undefined) return hashSlot(redisKey)
  const [tag, after] = splitAt(rest, '}')
  return hashSlot(after === undefined || tag === '' ? redisKey : tag)
}

function splitAt(text: string, mark: string): [before: string, after: string | undefined] {
  const at = text.indexOf(mark)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

describe('lockKeys', () => {
  it("uses the caller's key as it is", () => {
    fc.assert(
      fc.property(key, (userKey) => {
        expect(lockKeys(clientWith(), userKey).lock).toBe(userKey)
      }),
    )
  })

  it("keeps every companion in the slot of the caller's key, whatever that is made of", () => {
    fc.assert(
      fc.property(key, (userKey) => {
        const { lock, queue, chain, fence } = lockKeys(clientWith(), userKey)
        expect([queue, chain, fence].map(slotOf)).toEqual([lock, lock, lock].map(slotOf))
      }),
      { numRuns: 2000 },
    )
  })

  it("counts the client's keyPrefix, which ioredis puts before every key on the wire", () => {
    fc.assert(
      fc.property(key, fc.constantFrom('p:', '{p}:', 'a}b:', '}'), (userKey, prefix) => {
        const { lock, queue, fence } = lockKeys(clientWith(prefix), userKey)
        const slots = [lock, queue, fence].map((each) => slotOf(prefix + each))
        expect(new Set(slots).size).toBe(1)
      }),
      { numRuns: 2000 },
    )
  })

  it('gives no two keys a companion in common', () => {
    fc.assert(
      fc.property(key, key, (one, other) => {
        fc.pre(one !== other)
        const ours = new Set(Object.values(lockKeys(clientWith(), one)) as string[])
        const { queue, fence } = lockKeys(clientWith(), other)
        expect([ours.has(queue), ours.has(fence)]).toEqual([false, false])
      }),
      { numRuns: 2000 },
    )
  })
})
