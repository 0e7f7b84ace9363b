import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis5'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import * as redis5 from 'redis5'
import { connectGlide, connectGlideCluster } from '../support/glide-clients.ts'
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

/** Those of version 5, seen through the types of version 6. */
const version5 = redis5 as unknown as {
  createClient: typeof createClient
  createClientPool: typeof createClientPool
  createCluster: typeof createCluster
  createSentinel: typeof createSentinel
}

/** They connect when the application says so; commands wait for it. */
export const NODE_REDIS: Readonly<Record<string, (url: string) => OwnClient>> = {
  'node-redis 6': (url) => connected(createClient({ url })),
  'node-redis 5': (url) => connected(version5.createClient({ url })),
  // The database of a pool has to be an option.
  'node-redis 6, a pool': (url) => connected(createClientPool(poolOptions(url))),
  // With one client it needs no timer that takes the others away, which version 5 forgets to stop.
  'node-redis 5, a pool of one': (url) => connected(version5.createClientPool(poolOptions(url), { maximum: 1 })),
}

/** These refuse commands until they are connected. */
export const NODE_REDIS_CLUSTER: Readonly<
  Record<string, (urls: readonly string[], options: { keyPrefix?: string }) => OwnClient>
> = {
  'node-redis 6': (urls, options) => connected(createCluster({ rootNodes: urls.map((url) => ({ url })), ...options })),
  // Version 5 has no keyPrefix.
  'node-redis 5': (urls) => connected(version5.createCluster({ rootNodes: urls.map((url) => ({ url })) })),
}

type SentinelOptions = Parameters<typeof createSentinel>[0]

/** To find the master takes them longer than some locks last: they are connected first. */
export const NODE_REDIS_SENTINEL: Readonly<Record<string, (options: SentinelOptions) => Promise<OwnClient>>> = {
  'node-redis 6': (options) => onceConnected(createSentinel(options)),
  'node-redis 5': (options) => onceConnected(version5.createSentinel(options)),
}

function poolOptions(url: string): { url: string; database?: number } {
  const { pathname } = new URL(url)
  return pathname.length > 1 ? { url, database: Number(pathname.slice(1)) } : { url }
}

interface NodeRedis {
  readonly isOpen: boolean
  on(event: 'error', listener: (error: unknown) => void): unknown
  connect(): Promise<unknown>
  destroy(): unknown
}

async function onceConnected(client: NodeRedis & OwnClient['client']): Promise<OwnClient> {
  const { own, connecting } = connect(client)
  await connecting
  return own
}

function connected(client: NodeRedis & OwnClient['client']): OwnClient {
  const { own, connecting } = connect(client)
  connecting.catch(() => {})
  return own
}

function connect(client: NodeRedis & OwnClient['client']): { own: OwnClient; connecting: Promise<unknown> } {
  client.on('error', () => {}) // it would end the process
  return { own: { client, disconnect: () => client.isOpen && client.destroy() }, connecting: client.connect() }
}

/** They are made when they are connected. */
export const GLIDE: Readonly<Record<string, (address: Address) => Promise<OwnClient>>> = {
  GLIDE: async (address) => closable(await connectGlide(address)),
}

export const GLIDE_CLUSTER: Readonly<Record<string, (addresses: readonly Address[]) => Promise<OwnClient>>> = {
  GLIDE: async (addresses) => closable(await connectGlideCluster(addresses)),
}

type Address = { readonly host: string; readonly port: number }

function closable<C extends OwnClient['client'] & { close(): void }>(client: C): OwnClient {
  return { client, disconnect: () => client.close() }
}
