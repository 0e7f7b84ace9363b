import { runOutside } from '../../outside.ts'
import type { MessageHooks, Subscription } from '../client-port.ts'
import type { NodeRedisClient } from './node-redis-client.ts'

interface Subscriber extends NodeRedisClient {
  connect(): Promise<unknown>
  destroy(): void
  subscribe(
    channels: readonly string[],
    listener: (message: Buffer, channel: Buffer) => void,
    bufferMode: true,
  ): Promise<void>
}

/** One connection for messages: a duplicate of the user's client that does not connect again. */
export function openNodeRedisMessages(
  client: NodeRedisClient,
  { channels, tracking }: Subscription,
  hooks: MessageHooks,
): { close(): void } {
  const { socket } = (client.options ?? {}) as { socket?: object }
  const subscriber = runOutside(() =>
    client.duplicate({
      name: 'herdlock-inbox',
      socket: { ...socket, reconnectStrategy: false },
      disableOfflineQueue: false,
      pingInterval: undefined,
      clientSideCache: undefined,
    }),
  ) as Subscriber
  let isOver = false
  const close = (): void => {
    isOver = true
    if (subscriber.isOpen) subscriber.destroy()
  }
  const end = (error: unknown): void => {
    if (isOver) return
    close()
    hooks.onEnd(error)
  }
  subscriber.on('error', end)
  subscriber.on('end', () => end(new Error('the connection was closed')))
  const subscribe = async (): Promise<void> => {
    await runOutside(() => subscriber.connect())
    await subscriber.subscribe(channels, (message, channel) => isOver || hooks.onMessage(channel, message), true)
    tracking?.onFailure(new Error('tracking is not possible with node-redis'))
    if (!isOver) hooks.onReady()
  }
  subscribe().catch(end)
  return { close }
}
