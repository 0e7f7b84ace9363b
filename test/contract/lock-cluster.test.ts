import { Cluster } from 'ioredis'
import { startCluster } from '../support/redis-cluster.ts'
import { CLUSTER, NODE_REDIS_CLUSTER } from './libraries.ts'
import { lockContract } from './lock-contract.ts'

const libraries = [...Object.keys(CLUSTER), ...Object.keys(NODE_REDIS_CLUSTER)]

// One Cluster plays all instances: a key prefix gives each its own keys, and their slots. node-redis 5 has none.
const most = Object.fromEntries(libraries.map((name) => [name, name === 'node-redis 5' ? 1 : 3]))

lockContract(most, async () => {
  const { addresses, stop } = await startCluster()
  const urls = addresses.map(({ host, port }) => `redis://${host}:${port}`)
  const prefixOf = (index: number): { keyPrefix?: string } => (index === 0 ? {} : { keyPrefix: `instance-${index}:` })
  return {
    connect: (index) => new Cluster([...addresses], prefixOf(index)),
    libraries: Object.fromEntries([
      ...Object.entries(CLUSTER).map(([name, make]) => {
        return [name, (index: number) => make([...addresses], prefixOf(index))] as const
      }),
      ...Object.entries(NODE_REDIS_CLUSTER).map(([name, make]) => {
        return [name, (index: number) => make(urls, prefixOf(index))] as const
      }),
    ]),
    // Redis hashes this key as a whole, since its first braces hold nothing; version 5 hashes `a`.
    misrouted: { 'node-redis 5': ['{}{a}'] },
    stop,
  }
})
