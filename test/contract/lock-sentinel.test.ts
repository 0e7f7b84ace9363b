import { Redis } from 'ioredis'
import { startSentinel } from '../support/redis-sentinel.ts'
import { NODE_REDIS_SENTINEL, SINGLE } from './libraries.ts'
import { lockContract } from './lock-contract.ts'

const libraries = [...Object.keys(SINGLE), ...Object.keys(NODE_REDIS_SENTINEL)]

// Several instances through each library: lock-standalone.test.ts. A Sentinel's client of node-redis 5 is for database 0 only.
const most = Object.fromEntries(libraries.map((name, index) => [name, index === 0 ? 3 : 1]))

lockContract(most, async () => {
  const { addresses, name, stop } = await startSentinel()
  // One set of servers plays all instances: each has a database of its own.
  const optionsOf = (db: number) => ({ sentinels: [...addresses], name, db })
  const nodeRedisOptionsOf = (database: number) => ({
    name,
    sentinelRootNodes: [...addresses],
    nodeClientOptions: { database },
  })
  return {
    connect: (index) => new Redis(optionsOf(index)),
    libraries: Object.fromEntries([
      ...Object.entries(SINGLE).map(([library, make]) => [library, (index: number) => make(optionsOf(index))] as const),
      ...Object.entries(NODE_REDIS_SENTINEL).map(([library, make]) => {
        return [library, (index: number) => make(nodeRedisOptionsOf(index))] as const
      }),
    ]),
    stop,
  }
})
