import { runOutside } from '../../outside.ts'
import type { MessageHooks, MessageKind, MessageLink } from '../client-port.ts'
import type { NodeRedisClient } from './node-redis-client.ts'

type Listener = (message: Buffer, channel: Buffer) => void
type Subscribe = (channels: readonly string[], listener: Listener, bufferMode: true) => Promise<void>

interface Subscriber extends NodeRedisClient {
  connect(): Promise<unknown>
  destroy(): void
  subscribe: Subscribe
  sSubscribe: Subscribe
  unsubscribe: Subscribe
  sUnsubscribe: Subscribe
}

/** One connection for messages: a duplicate of `model`, once that is known. It does not connect again. */
export function openNodeRedisMessages(
  model: () => NodeRedisClient | Promise<NodeRedisClient>,
  { shard, tracking }: MessageKind,
  hooks: MessageHooks,
): MessageLink {
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
  const open = async (): Promise<void> => {
    const known = await model()
    if (isOver) return
    subscriber = duplicate(known)
    subscriber.on('error', end)
    subscriber.on('end', () => end(new Error('the connection was closed')))
    await subscriber.connect()
    subscriber.sendCommand(['CLIENT', 'SETNAME', 'herdlock-inbox']).catch(() => {}) // it may lack the right
    tracking?.onFailure(new Error('tracking is not possible with node-redis'))
    if (!isOver) hooks.onReady()
  }
  const onMessage: Listener = (message, channel) => isOver || hooks.onMessage(channel, message)
  runOutside(open).catch(end)
  const isSharded = shard !== undefined
  return {
    subscribe: async (channels) => subscriber?.[isSharded ? 'sSubscribe' : 'subscribe'](channels, onMessage, true),
    unsubscribe(channels) {
      if (isOver) return
      subscriber?.[isSharded ? 'sUnsubscribe' : 'unsubscribe'](channels, onMessage, true).catch(() => {})
    },
    close,
  }
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
