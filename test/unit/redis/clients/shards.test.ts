import { expect, it } from 'vitest'
import { Shards } from '../../../../src/redis/clients/shards.ts'
import { hashSlot } from '../../../../src/redis/hash-slot.ts'

/** Two masters, of which the second has the slots from `border` on. */
function makeShards() {
  const cluster = { border: 8000 }
  const nodeOf = (slot: number): string => (slot < cluster.border ? 'a:1' : 'b:2')
  return { cluster, nodeOf, shards: new Shards(nodeOf) }
}

it('finds the master of a slot, with a tag in one of its slots, and the same object each time', () => {
  const { shards, nodeOf } = makeShards()
  for (const slot of [0, 7999, 8000, 16_383]) {
    const shard = shards.of(slot)
    expect(shard?.node).toBe(nodeOf(slot))
    expect(nodeOf(hashSlot(shard?.tag as string))).toBe(shard?.node)
    expect(shards.of(slot)).toBe(shard)
  }
})

it('takes another tag when the slot of the old one has moved', () => {
  const { cluster, shards } = makeShards()
  const before = shards.of(0)
  cluster.border = hashSlot(before?.tag as string)
  const after = shards.of(0)
  expect(after?.node).toBe('a:1')
  expect(after).not.toBe(before)
  expect(hashSlot(after?.tag as string)).toBeLessThan(cluster.border)
})

it('knows none where the client does not know the master', () => {
  expect(new Shards(() => undefined).of(1)).toBeUndefined()
})
