import { runOutside } from '../../outside.ts'
import type { MessageHooks, Subscription } from '../client-port.ts'
import type { NodeRedisClient } from './node-redis-client.ts'

type Subscribe = (
  channels: readonly string[],
  listener: (message: Buffer, channel: Buffer) => void,
  bufferMode: true,
) => Promise<void>

interface Subscriber extends NodeRedisClient {
  connect(): Promise<unknown>
  destroy(): void
  subscribe: Subscribe
  sSubscribe: Subscribe
}

/** One connection for messages: a duplicate of `model`, as soon as that is known, which does not connect again. */
export function openNodeRedisMessages(
  model: () => NodeRedisClient | Promise<NodeRedisClient>,
  { channels, shard, tracking }: Subscription,
  hooks: MessageHooks,
): { close(): void } {
  let isOver = false
  let subscriber: Subscriber | undefined
  const close = (): void => {
    isOver = true
    if (subscriber?.isOpen === true) subscriber.destroy()
  }
  const end = (error: unknown): void => {
    if (isOver) return
    close()
    hooks.onEnd(error)
  }
  const subscribe = async (): Promise<void> => {
    const known = await model()
    if (isOver) return
    subscriber = duplicate(known)
    subscriber.on('error', end)
    subscriber.on('end', () => end(new Error('the connection was closed')))
    await subscriber.connect()
    subscriber.sendCommand(['CLIENT', 'SETNAME', 'herdlock-inbox']).catch(() => {}) // it may lack the right
    const onMessage = (message: Buffer, channel: Buffer): unknown => isOver || hooks.onMessage(channel, message)
    await subscriber[shard === undefined ? 'subscribe' : 'sSubscribe'](channels, onMessage, true)
    tracking?.onFailure(new Error('tracking is not possible with node-redis'))
    if (!isOver) hooks.onReady()
  }
  runOutside(subscribe).catch(end)
  return { close }
}

function duplicate(client: NodeRedisClient): Subscriber {
  const { socket } = (client.options ?? {}) as { socket?: object }
  return client.duplicate({
    name: undefined,
    socket: { ...socket, reconnectStrategy: false },
    disableOfflineQueue: false,
    pingInterval: undefined,
    clientSideCache: undefined,
    readonly: undefined,
  }) as Subscriber
}
