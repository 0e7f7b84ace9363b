import { Cluster } from 'ioredis'
import { startCluster } from '../support/redis-cluster.ts'
import { CLUSTER, GLIDE_CLUSTER, NODE_REDIS_CLUSTER } from './libraries.ts'
import { type Connect, lockContract } from './lock-contract.ts'

const libraries = [CLUSTER, NODE_REDIS_CLUSTER, GLIDE_CLUSTER].flatMap((makers) => Object.keys(makers))

// One Cluster plays all instances: a key prefix gives each its own keys, and their slots. Several instances through each
// library: lock-standalone.test.ts.
const most = Object.fromEntries(libraries.map((name, index) => [name, index === 0 ? 3 : 1]))

lockContract(most, async () => {
  const { addresses, stop } = await startCluster()
  const urls = addresses.map(({ host, port }) => `redis://${host}:${port}`)
  const prefixOf = (index: number): { keyPrefix?: string } => (index === 0 ? {} : { keyPrefix: `instance-${index}:` })
  return {
    connect: (index) => new Cluster([...addresses], prefixOf(index)),
    libraries: Object.fromEntries<Connect>([
      ...Object.entries(CLUSTER).map(([name, make]) => {
        return [name, (index: number) => make([...addresses], prefixOf(index))] as const
      }),
      ...Object.entries(NODE_REDIS_CLUSTER).map(([name, make]) => {
        return [name, (index: number) => make(urls, prefixOf(index))] as const
      }),
      ...Object.entries(GLIDE_CLUSTER).map(([name, make]) => [name, () => make(addresses)] as const),
    ]),
    // Redis hashes this key as a whole, since its first braces hold nothing; version 5 hashes `a`.
    misrouted: { 'node-redis 5': ['{}{a}'] },
    stop,
  }
})
