import type { ClientPort } from '../client-port.ts'
import type { NodeRedisClient, NodeRedisCluster, NodeRedisPool, NodeRedisSentinel } from './node-redis-client.ts'
import { NodeRedisClusterPort } from './node-redis-cluster.ts'
import { NodeRedisPoolPort } from './node-redis-pool.ts'
import { NodeRedisSentinelPort } from './node-redis-sentinel.ts'
import { NodeRedisSinglePort } from './node-redis-single.ts'

/** Any client of node-redis: a single client, a Cluster, a Sentinel or a pool. */
export type NodeRedis = NodeRedisClient | NodeRedisCluster | NodeRedisSentinel | NodeRedisPool

/** The port of the client; `undefined` if it is none of these. */
export function portOfNodeRedis(client: object): ClientPort | undefined {
  const known = client as Record<string, unknown>
  const has = (...names: string[]): boolean => names.every((name) => typeof known[name] === 'function')
  if (!has('sendCommand')) return undefined
  if (has('getSentinelNode', '_execute')) return new NodeRedisSentinelPort(client as NodeRedisSentinel)
  if (has('nodeClient')) return new NodeRedisClusterPort(client as NodeRedisCluster)
  if (has('execute') && 'identity' in client) return new NodeRedisPoolPort(client as NodeRedisPool)
  return has('duplicate') && 'isReady' in client ? new NodeRedisSinglePort(client as NodeRedisClient) : undefined
}
