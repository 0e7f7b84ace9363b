import { expect, it } from 'vitest'
import { hashSlot } from '../../../src/redis/hash-slot.ts'

it.each([
  // The check value of CRC16-XMODEM, and slots that the Cluster specification and `CLUSTER KEYSLOT` name.
  ['123456789', 0x31c3],
  ['', 0],
  ['foo', 12182],
  ['somekey', 11058],
  ['user1000', 3443],
])('puts %j into slot %i', (text, slot) => {
  expect(hashSlot(text)).toBe(slot)
})
