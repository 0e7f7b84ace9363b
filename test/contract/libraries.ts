import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis5'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { connectGlide } from '../support/glide-clients.ts'
import type { OwnClient } from './lock-contract.ts'

/** Both versions, seen through the types of the newer one. */
export function ioredis(version: 5 | 6): typeof ioredis6 {
  return version === 6 ? ioredis6 : (ioredis5 as unknown as typeof ioredis6)
}

interface Options {
  host?: string
  port?: number
  sentinels?: Array<{ host: string; port: number }>
  name?: string
  db?: number
}
type Nodes = ConstructorParameters<typeof ioredis6.Cluster>[0]

const like = (client: ioredis6.Redis | ioredis6.Cluster | Valkey | ValkeyCluster): OwnClient => ({
  client,
  disconnect: () => client.disconnect(),
})

/** What has the methods of ioredis. */
export const SINGLE: Readonly<Record<string, (options: Options) => OwnClient>> = {
  'ioredis 6': (options) => like(new ioredis6.Redis(options)),
  'ioredis 5': (options) => like(new (ioredis(5).Redis)(options)),
  iovalkey: (options) => like(new Valkey(options)),
}

export const CLUSTER: Readonly<Record<string, (nodes: Nodes, options: { keyPrefix?: string }) => OwnClient>> = {
  'ioredis 6': (nodes, options) => like(new ioredis6.Cluster(nodes, options)),
  'ioredis 5': (nodes, options) => like(new (ioredis(5).Cluster)(nodes, options)),
  iovalkey: (nodes, options) => like(new ValkeyCluster(nodes as never, options)),
}

/** They connect when the application says so; commands wait for it. */
export const NODE_REDIS: Readonly<Record<string, (url: string) => OwnClient>> = {
  'node-redis 6': (url) => connected(createClient({ url })),
  'node-redis 5': (url) => connected(createClient5({ url })),
}

function connected(client: ReturnType<typeof createClient> | ReturnType<typeof createClient5>): OwnClient {
  client.on('error', () => {}) // it would end the process
  client.connect().catch(() => {})
  return { client, disconnect: () => client.destroy() }
}

/** They are made when they are connected. */
export const GLIDE: Readonly<Record<string, (address: Address) => Promise<OwnClient>>> = {
  GLIDE: async (address) => closable(await connectGlide(address)),
}

type Address = { readonly host: string; readonly port: number }

function closable<C extends OwnClient['client'] & { close(): void }>(client: C): OwnClient {
  return { client, disconnect: () => client.close() }
}
