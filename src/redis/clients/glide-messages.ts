import { runOutside } from '../../outside.ts'
import type { MessageHooks, Subscription } from '../client-port.ts'
import { BYTES, type GlideLikeClient, hiddenMembers, RESP3 } from './glide-client.ts'
import { asReplyError } from './glide-error.ts'

interface Message {
  readonly channel: Buffer
  readonly message: Buffer
}

interface Factory {
  createClient(config: object): Promise<GlideLikeClient>
}

const OVERRIDDEN = {
  clientName: undefined,
  defaultDecoder: BYTES,
  protocol: RESP3, // of this one only are there messages
  lazyConnect: false,
  readFrom: undefined,
  clientSideCache: undefined,
  compression: undefined,
  clientCircuitBreaker: undefined,
}

/**
 * One connection for messages: a second client from the configuration of the user's. GLIDE would reconnect and subscribe
 * again without a word. Redis confirms each subscription, and when it confirms one more, messages may have been lost.
 */
export function openGlideMessages(
  client: GlideLikeClient,
  { channels, tracking }: Subscription,
  hooks: MessageHooks,
): { close(): void } {
  const { config } = hiddenMembers(client)
  if (config === undefined) throw new Error('the configuration of the GLIDE client is not known')
  let subscriber: GlideLikeClient | undefined
  let isOver = false
  let confirmed = 0
  const close = (): void => {
    isOver = true
    if (subscriber !== undefined) retire(subscriber, channels)
    subscriber = undefined
  }
  const end = (error: unknown): void => {
    if (isOver) return
    close()
    hooks.onEnd(error)
  }
  const onMessage = ({ channel, message }: Message): void => {
    if (!isOver) hooks.onMessage(channel, message)
  }
  const onConfirmed = (): void => {
    if (isOver || ++confirmed < channels.length) return
    if (confirmed > channels.length) return end(new Error('the connection was lost'))
    tracking?.onFailure(new Error('tracking is not possible with GLIDE'))
    hooks.onReady()
  }
  const open = async (): Promise<void> => {
    const pubsubSubscriptions = { channelsAndPatterns: {}, callback: onMessage }
    const { createClient } = client.constructor as unknown as Factory
    subscriber = await runOutside(() =>
      createClient.call(client.constructor, { ...config, ...OVERRIDDEN, pubsubSubscriptions }),
    )
    if (isOver) return close()
    watch(subscriber, onConfirmed)
    subscriber.customCommand(['client', 'setname', 'herdlock-inbox']).catch(() => {}) // it may lack the right
    await subscriber.customCommand(['subscribe', ...channels])
    // Why a subscription is refused GLIDE tells only its log. The right to publish goes by the same channels.
    await subscriber.customCommand(['publish', channels[0], '']).catch((error: unknown) => {
      const reason = asReplyError(error)
      if (String(reason).includes('channel')) throw reason
    })
  }
  open().catch((error: unknown) => end(asReplyError(error)))
  return { close }
}

/** Closed while it is subscribed, GLIDE would log an error. */
function retire(subscriber: GlideLikeClient, channels: readonly string[]): void {
  const close = (): void => subscriber.close()
  subscriber.customCommand(['unsubscribe', ...channels]).then(close, close)
}

/** Calls `onOther` for whatever is pushed besides messages. */
function watch(subscriber: GlideLikeClient, onOther: () => void): void {
  const members = hiddenMembers(subscriber)
  const original = members.notificationToPubSubMessageSafe
  if (original === undefined || !('subscribeLazy' in subscriber)) throw new Error('messages need GLIDE 2.3 or newer')
  members.notificationToPubSubMessageSafe = (...pushed) => {
    const message = original.apply(subscriber, pushed)
    if (message === null) onOther()
    return message
  }
}
