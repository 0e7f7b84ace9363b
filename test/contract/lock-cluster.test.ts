import { startCluster } from '../support/redis-cluster.ts'
import { ioredis } from './ioredis-versions.ts'
import { lockContract } from './lock-contract.ts'

lockContract(async () => {
  const cluster = await startCluster()
  return {
    // One Cluster plays all instances: a key prefix gives each its own keys, and their slots.
    connect: (index, version) =>
      new (ioredis(version).Cluster)(cluster.addresses, index === 0 ? {} : { keyPrefix: `instance-${index}:` }),
    stop: () => cluster.stop(),
  }
})
