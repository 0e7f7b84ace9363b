import { Cluster } from 'ioredis'
import { startCluster } from '../support/redis-cluster.ts'
import { CLUSTER } from './libraries.ts'
import { lockContract } from './lock-contract.ts'

lockContract(Object.keys(CLUSTER), async () => {
  const { addresses, stop } = await startCluster()
  // One Cluster plays all instances: a key prefix gives each its own keys, and their slots.
  const optionsOf = (index: number): { keyPrefix?: string } => (index === 0 ? {} : { keyPrefix: `instance-${index}:` })
  return {
    connect: (index) => new Cluster([...addresses], optionsOf(index)),
    libraries: Object.fromEntries(
      Object.entries(CLUSTER).map(([name, make]) => [name, (index) => make([...addresses], optionsOf(index))]),
    ),
    stop,
  }
})
