import { runOutside } from '../../outside.ts'
import { TRACKING_CHANNEL, type MessageHooks, type MessageKind, type MessageLink, type Shard } from '../client-port.ts'
import type { IoredisClient } from './ioredis-client.ts'
import { IoredisSender } from './ioredis-sender.ts'

/** One connection for messages: a duplicate of the user's client. */
export function openIoredisMessages(
  client: IoredisClient,
  attempt: number,
  { shard, tracking }: MessageKind,
  hooks: MessageHooks,
): MessageLink {
  const subscriber = runOutside(() => duplicate(client, attempt, shard))
  const sender = new IoredisSender(subscriber)
  let isOver = false
  let lastError: unknown = new Error('the connection was closed')
  const end = (error: unknown): void => {
    if (isOver) return
    isOver = true
    subscriber.disconnect()
    hooks.onEnd(error)
  }
  subscriber.on('error', (error: unknown) => (lastError = error))
  subscriber.on('end', () => end(lastError))
  subscriber.on('ready', () => {
    const begun = tracking === undefined ? Promise.resolve() : track(sender, tracking)
    begun.then(() => isOver || hooks.onReady(), end)
  })
  const onMessage = (channel: Buffer, message: Buffer): unknown => isOver || hooks.onMessage(channel, message)
  subscriber.on(shard === undefined ? 'messageBuffer' : 'smessageBuffer', onMessage)
  const sharded = shard === undefined ? '' : 's'
  return {
    subscribe: (channels) => sender.send('text', `${sharded}subscribe`, channels),
    unsubscribe: (channels) => void sender.send('text', `${sharded}unsubscribe`, channels).catch(() => {}),
    close() {
      isOver = true
      subscriber.disconnect()
    },
  }
}

/**
 * Asks Redis to report changes on this connection. It uses protocol 2, where they come as messages; ioredis 6 does not
 * pass on the pushes of protocol 3. With protocol 2, this is possible only before the first subscription.
 */
async function track(
  sender: IoredisSender,
  { prefix, onFailure }: NonNullable<MessageKind['tracking']>,
): Promise<void> {
  try {
    const id = String(await sender.send('text', 'client', ['id']))
    await sender.send('text', 'client', ['tracking', 'on', 'redirect', id, 'bcast', 'prefix', prefix])
    await sender.send('text', 'subscribe', [TRACKING_CHANNEL])
  } catch (error) {
    onFailure(error)
  }
}

/** The credentials of a client, or of its options. */
interface Credentials {
  readonly username?: unknown
  readonly password?: unknown
}

const OVERRIDDEN = {
  connectionName: 'herdlock-inbox',
  lazyConnect: false,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  autoResubscribe: false,
  readOnly: false,
  protocol: 2, // ioredis 6 has two; only this one has messages of tracking
  replyMapping: 'legacy',
  himportFieldsets: undefined,
  maxRetriesPerRequest: null,
  reconnectOnError: null,
  retryStrategy: null,
  commandTimeout: undefined,
  socketTimeout: undefined,
}

/**
 * A connection like the user's. On a Cluster it goes to one of the masters: what is published anywhere arrives
 * everywhere. The Cluster subscriber of ioredis itself would move to another node silently.
 */
function duplicate(client: IoredisClient, attempt: number, shard: Shard | undefined): IoredisClient {
  if (client.isCluster !== true) return client.duplicate(OVERRIDDEN)
  const masters = client.nodes?.('master') ?? []
  const nodes = shard === undefined ? masters : masters.filter((node) => addressOf(node) === shard.node)
  const node = nodes[attempt % nodes.length]
  if (node === undefined) throw new Error('no node of the Cluster is known yet')
  // It is unknown which of the two the application has renewed, so both are tried in turn.
  const { redisOptions } = client.options as { redisOptions?: Credentials }
  const isFirstRound = Math.floor(attempt / nodes.length) % 2 === 0
  const { username, password }: Credentials = isFirstRound ? { ...node.options, ...redisOptions } : node.options
  return node.duplicate({ ...OVERRIDDEN, username, password })
}

function addressOf(node: IoredisClient): string {
  const { host, port } = node.options as { host?: unknown; port?: unknown }
  return `${String(host)}:${String(port)}`
}
