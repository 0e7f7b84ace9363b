import { expect, test } from 'vitest'
import { expectNothingLeft } from '../../support/left-behind.ts'
import { startCluster } from '../../support/redis-cluster.ts'
import { runExample } from '../../support/run-example.ts'
import { startRedis } from '../../support/redis-server.ts'

test(
  'redis-cluster.ts loads each key once for two processes, forgets by tag on all nodes, and locks',
  { timeout: 60_000 },
  async () => {
    const cluster = await startCluster()
    try {
      const [node] = cluster.addresses
      expect(await runExample('redis-cluster.ts', { REDIS_URL: `redis://${node?.host}:${node?.port}` })).toEqual([
        '30 keys asked for in two processes at once, loads: 30',
        'entries: 30, on each of the 3 masters: true',
        'after an invalidation by tag: 30 keys loaded, calls of the loader: 1',
        'a lock, one after the other: first,second',
      ])
      const masters = await cluster.masters()
      await Promise.all(masters.map(expectNothingLeft))
    } finally {
      await cluster.stop()
    }
  },
)

test('cache-manager.ts queries once for two apps of Nest that share a Redis, and once more after a clear', async () => {
  const redis = await startRedis()
  try {
    expect(await runExample('cache-manager.ts', { REDIS_URL: redis.url })).toEqual([
      '100 callers in two apps: 42 | queries: 1',
      '100 more after clear: 42 | queries: 2',
    ])
    await expectNothingLeft(redis)
  } finally {
    await redis.stop()
  }
})

test.each([
  ['node-redis', 'node-redis.ts'],
  ['glide', 'glide.ts'],
])('%s: one load for two processes, which hear of each other, and a lock', async (name, file) => {
  const redis = await startRedis()
  try {
    expect(await runExample(file, { REDIS_URL: redis.url })).toEqual([
      '200 callers in two processes, all have Ada, loads: 1',
      'changed there, here is Grace, loads: 1',
      `holds ${name}-example:{lock}`,
    ])
    await expectNothingLeft(redis)
  } finally {
    await redis.stop()
  }
})

test('redis-migration.ts never loads a key twice at once while processes move from one Redis to another', async () => {
  const [old, next] = await Promise.all([startRedis(), startRedis()])
  try {
    expect(await runExample('redis-migration.ts', { REDIS_URL: old.url, NEXT_REDIS_URL: next.url })).toEqual([
      'old: at most 1 load of a key at once; entries in old and next: 3, 0',
      'old and next: at most 1 load of a key at once; entries in old and next: 3, 3',
      'next: at most 1 load of a key at once; entries in old and next: 3, 3',
      'every call was answered, fewer than one in ten by a load: true',
    ])
    await Promise.all([old, next].map(expectNothingLeft))
  } finally {
    await Promise.all([old.stop(), next.stop()])
  }
})
