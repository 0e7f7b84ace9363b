import { startSentinel } from '../support/redis-sentinel.ts'
import { ioredis } from './ioredis-versions.ts'
import { lockContract } from './lock-contract.ts'

lockContract(async () => {
  const { addresses, name, stop } = await startSentinel()
  return {
    // One set of servers plays all instances: each has a database of its own.
    connect: (index, version) => new (ioredis(version).Redis)({ sentinels: addresses, name, db: index }),
    stop,
  }
})
