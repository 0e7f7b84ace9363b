// What a project tests with herdlock/testing, whatever runs it. BROKEN=1 makes it fail as a fault of the project would.
import assert from 'node:assert'
import { singleFlight } from 'herdlock'
import { createTestbed } from 'herdlock/testing'
import { Redis } from 'ioredis'

export async function inMemory() {
  const testbed = createTestbed()
  const cache = testbed.createCache({ ttl: 60_000 })
  const load = async () => {
    await testbed.delay(500)
    return testbed.now
  }
  const herd = Array.from({ length: 100 }, () => cache.getOrRefill('key', load))
  await testbed.advance(500)
  assert.deepEqual(new Set(await Promise.all(herd)), new Set([500]))
  testbed.assertOneLoad('key')
  testbed.assertLongestWait(500)
  await testbed.advance(59_999)
  assert.equal(cache.peek('key'), 500)
  await testbed.advance(1)
  assert.equal(cache.peek('key'), undefined)
  assert.equal(typeof singleFlight({ cache }), 'function')
  if (process.env.BROKEN) await cache.getOrRefill('key', () => 'again')
  testbed.assertOneLoad('key')
  await testbed.assertNothingLeft()
  await testbed.close()
}

export async function overRedis() {
  const redis = new Redis(process.env.REDIS_URL)
  const testbed = createTestbed({ redis })
  const [leader, other] = [testbed.process(), testbed.process()]
  const ask = ({ createCache }) =>
    createCache({ ttl: 60_000, lockTtl: 3000 }).getOrRefill('key', async () => {
      await testbed.delay(5000)
      return 'value'
    })
  void ask(leader)
  await testbed.advance(1000)
  const answer = ask(other)
  await testbed.settle()
  leader.die()
  await testbed.advance(9000)
  assert.equal(await answer, 'value')
  testbed.redisAway(5000)
  await testbed.advance(7000)
  await testbed.assertNothingLeft()
  await testbed.close()
  redis.disconnect()
}
