import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { entryKeys } from '../../src/redis/entry-keys.ts'
import { hashSlot } from '../../src/redis/hash-slot.ts'
import { lockKeys } from '../../src/redis/lock-keys.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { connectResp, type RespClient } from '../support/resp.ts'

// A node that serves no slot yet still says in which one a key lies.
let node: RedisServer
let client: RespClient
beforeAll(async () => {
  node = await startRedis({ args: ['--cluster-enabled', 'yes'] })
  client = await connectResp(node)
})
afterAll(async () => {
  client.close()
  await node.stop()
})

const slotOf = async (key: string): Promise<number> => Number(await client.command('CLUSTER', 'KEYSLOT', key))
const key = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }).filter((text) => text.isWellFormed()),
  fc
    .array(fc.constantFrom('{', '}', '{}', 'a', ':', 'ü', '\0', '\r\n'), { minLength: 1 })
    .map((parts) => parts.join('')),
)

describe('a real Cluster node agrees', () => {
  test('on the slot of any text', async () => {
    await fc.assert(
      fc.asyncProperty(key, async (text) => {
        fc.pre(!text.includes('{'))
        expect(await slotOf(text)).toBe(hashSlot(text))
      }),
      { numRuns: 300 },
    )
  })

  test("that a lock's companions lie in the slot of the user's key, whatever that is", async () => {
    const options = { keyPrefix: '' }
    await fc.assert(
      fc.asyncProperty(key, async (userKey) => {
        const { lock, queue, fence } = lockKeys(options, userKey)
        const slot = await slotOf(lock)
        expect([await slotOf(queue), await slotOf(fence)]).toEqual([slot, slot])
      }),
      { numRuns: 500 },
    )
  })

  test('that the keys of an entry lie in one slot', async () => {
    await fc.assert(
      fc.asyncProperty(key, async (userKey) => {
        const keys = Object.values(entryKeys('herdlock', userKey)) as string[]
        expect(new Set(await Promise.all(keys.map(slotOf))).size).toBe(1)
      }),
      { numRuns: 300 },
    )
  })
})
