import { outOfRange, wrongType } from '../errors.ts'
import type { Corkable } from './gather-writes.ts'

/**
 * The part of an ioredis `Redis` or `Cluster` (5 or 6) that herdlock uses. Structural, so that ioredis stays an
 * optional peer and any client with the same few methods will do.
 */
export interface RedisClient {
  readonly isCluster?: boolean
  readonly options: object
  call(command: string, ...args: (string | Buffer | number)[]): Promise<unknown>
  callBuffer(command: string, ...args: (string | Buffer | number)[]): Promise<unknown>
  // `any`: the signatures of ioredis' Redis and Cluster differ here, and so do those of versions 5 and 6.
  // oxlint-disable-next-line typescript/no-explicit-any
  duplicate(...args: any[]): RedisClient
  // oxlint-disable-next-line typescript/no-explicit-any
  on(event: string, listener: (...args: any[]) => void): unknown
  // oxlint-disable-next-line typescript/no-explicit-any
  off(event: string, listener: (...args: any[]) => void): unknown
  disconnect(reconnect?: boolean): void
  /** The socket, which a Cluster has not. */
  readonly stream?: Corkable
  /** `ready` while commands are written at once. */
  readonly status?: string
  /** Only on a Cluster: its nodes of that role. */
  nodes?(role: 'master'): RedisClient[]
}

interface KnownOptions {
  host?: unknown
  port?: unknown
  path?: unknown
  name?: unknown
  sentinels?: unknown
  keyPrefix?: unknown
}

/**
 * One client or several as a list; throws `TypeError` or `RangeError` when there is none, a stranger, a duplicate, or a
 * Cluster whose `keyPrefix` would send keys that belong together to different slots.
 */
export function listClients(option: string, clients: RedisClient | readonly RedisClient[]): RedisClient[] {
  const list = Array.isArray(clients) ? [...(clients as readonly RedisClient[])] : [clients as RedisClient]
  if (list.length === 0) throw new RangeError(`${option} must name at least one Redis client, received an empty array`)
  for (const client of list) {
    if (typeof client?.call !== 'function' || typeof client.duplicate !== 'function') {
      throw wrongType(option, 'an ioredis Redis or Cluster, or an array of them', client)
    }
    const keyPrefix = keyPrefixOf(client)
    if (client.isCluster === true && tearsApart(keyPrefix)) {
      throw outOfRange(
        `keyPrefix of ${option}`,
        'without an opening brace, or with a whole hash tag, on a Cluster',
        keyPrefix,
      )
    }
  }
  if (new Set(list).size !== list.length) {
    throw new RangeError(`${option} must not name one client twice: a lock would exclude itself`)
  }
  return list
}

/** Whether keys with one hash tag have different ones behind that prefix: Redis looks at the first opening brace only. */
function tearsApart(keyPrefix: string): boolean {
  const open = keyPrefix.indexOf('{')
  return open !== -1 && keyPrefix.indexOf('}', open) <= open + 1
}

/** How messages name an instance: where it is, never its credentials. */
export function labelOf(client: RedisClient): string {
  const { host, port, path, name, sentinels } = client.options as KnownOptions
  if (client.isCluster) return 'redis cluster'
  if (Array.isArray(sentinels) && sentinels.length > 0) return `redis sentinel ${String(name)}`
  if (typeof path === 'string') return `redis ${path}`
  return `redis ${String(host)}:${String(port)}`
}

/** What ioredis puts before every key on the wire; it takes part in the choice of the Cluster slot. */
export function keyPrefixOf(client: RedisClient): string {
  const { keyPrefix } = client.options as KnownOptions
  if (typeof keyPrefix === 'string') return keyPrefix
  return Buffer.isBuffer(keyPrefix) ? keyPrefix.toString() : ''
}
