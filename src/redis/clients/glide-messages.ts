import { runOutside } from '../../outside.ts'
import type { MessageHooks, MessageKind, MessageLink } from '../client-port.ts'
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
  protocol: RESP3, // only this one has messages
  lazyConnect: false,
  readFrom: undefined,
  clientSideCache: undefined,
  compression: undefined,
  clientCircuitBreaker: undefined,
}

/**
 * One connection for messages: a second client with the configuration of the user's client. GLIDE reconnects and
 * subscribes again silently. Redis confirms each subscription. One more confirmation than expected means that messages
 * may have been lost.
 */
export function openGlideMessages(
  client: GlideLikeClient,
  { tracking }: MessageKind,
  hooks: MessageHooks,
): MessageLink {
  const { config } = hiddenMembers(client)
  if (config === undefined) throw new Error('the configuration of the GLIDE client is not known')
  let subscriber: GlideLikeClient | undefined
  let isOver = false
  const subscribed = new Set<string>()
  /** The confirmations of Redis that have come, and the expected ones. */
  let confirmed = 0
  let expected = 0
  let onAllConfirmed = (): void => {}
  const close = (): void => {
    isOver = true
    if (subscriber !== undefined) retire(subscriber, [...subscribed])
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
    if (isOver) return
    if (++confirmed > expected) return end(new Error('the connection was lost'))
    if (confirmed === expected) onAllConfirmed()
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
    tracking?.onFailure(new Error('tracking is not possible with GLIDE'))
    hooks.onReady()
  }
  const subscribe = async (channels: readonly string[]): Promise<void> => {
    if (subscriber === undefined) return
    expected += channels.length
    const areConfirmed = new Promise<void>((resolve) => (onAllConfirmed = resolve))
    try {
      await subscriber.customCommand(['subscribe', ...channels])
      // GLIDE writes the reason of a refused subscription only to its log. The right to publish depends on the same
      // channels.
      await subscriber.customCommand(['publish', channels[0] as string, '']).catch((error: unknown) => {
        const reason = asReplyError(error)
        if (String(reason).includes('channel')) throw reason
      })
    } catch (error) {
      expected -= channels.length
      throw asReplyError(error)
    }
    for (const channel of channels) subscribed.add(channel)
    await areConfirmed
  }
  open().catch((error: unknown) => end(asReplyError(error)))
  // One after the other, because confirmations do not say which subscription they are for.
  let last: Promise<unknown> = Promise.resolve()
  return {
    subscribe(channels) {
      const asked = last.then(() => subscribe(channels))
      last = asked.catch(() => {})
      return asked
    },
    unsubscribe() {}, // later messages are ignored; unsubscribing in GLIDE would look like a loss
    close,
  }
}

/** If GLIDE is closed while it is subscribed, it logs an error. */
function retire(subscriber: GlideLikeClient, channels: readonly string[]): void {
  const close = (): void => subscriber.close()
  subscriber.customCommand(['unsubscribe', ...channels]).then(close, close)
}

/** Calls `onOther` for every push that is not a message. */
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
