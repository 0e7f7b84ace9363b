import { outOfRange } from '../../errors.ts'
import type { ClientPort } from '../client-port.ts'
import { GlidePort } from './glide.ts'
import { type GlideLikeClient, isGlide } from './glide-client.ts'
import { IoredisPort, isIoredis } from './ioredis.ts'
import type { IoredisClient } from './ioredis-client.ts'
import { portOfNodeRedis, type NodeRedis } from './node-redis.ts'
import { refusal } from './refusal.ts'

/** A client that herdlock can work with: of ioredis, node-redis or GLIDE. */
export type RedisClient = IoredisClient | NodeRedis | GlideLikeClient

/** One port for each client, however many caches and locks share it. */
const ports = new WeakMap<RedisClient, ClientPort>()

function portOf(option: string, client: RedisClient): ClientPort {
  const known = typeof client === 'object' && client !== null ? ports.get(client) : undefined
  if (known !== undefined) return known
  const port = newPort(client)
  if (port === undefined) throw refusal(option, client)
  ports.set(client, port)
  return port
}

/** Makes a port usable as a client. Code between a client and herdlock passes it on in this way. */
export function asClient(port: ClientPort): RedisClient {
  const client = port as object as RedisClient
  ports.set(client, port)
  return client
}

function newPort(client: RedisClient): ClientPort | undefined {
  if (isIoredis(client)) return new IoredisPort(client)
  if (isGlide(client)) return new GlidePort(client)
  return typeof client === 'object' && client !== null ? portOfNodeRedis(client) : undefined
}

/**
 * One client or several, each behind its port. Throws a `TypeError` or `RangeError` if there is none, an unknown kind, a
 * duplicate, or a Cluster whose `keyPrefix` would send keys that belong together to different slots.
 */
export function listPorts(option: string, clients: RedisClient | readonly RedisClient[]): ClientPort[] {
  const list = Array.isArray(clients) ? (clients as readonly RedisClient[]) : [clients as RedisClient]
  if (list.length === 0) throw new RangeError(`${option} must name at least one Redis client, received an empty array`)
  const found = list.map((client) => portOf(option, client))
  for (const { isCluster, keyPrefix } of found) {
    if (isCluster && tearsApart(keyPrefix)) {
      const expected = 'without an opening brace, or with a whole hash tag, on a Cluster'
      throw outOfRange(`keyPrefix of ${option}`, expected, keyPrefix)
    }
  }
  if (new Set(found).size !== found.length) {
    throw new RangeError(`${option} must not name one client twice: a lock would exclude itself`)
  }
  return found
}

/** Whether keys with one hash tag get different tags behind that prefix, because Redis uses only the first opening brace. */
function tearsApart(keyPrefix: string): boolean {
  const open = keyPrefix.indexOf('{')
  return open !== -1 && keyPrefix.indexOf('}', open) <= open + 1
}
