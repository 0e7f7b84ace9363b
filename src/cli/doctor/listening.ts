import { systemClock } from '../../clock.ts'
import type { ClientPort, MessageKind } from '../../redis/client-port.ts'

/** What arrives on a connection for messages. */
interface Messages {
  /** When the subscriptions stand, or should stand: what they have failed with, if they have. */
  readonly begun: Promise<unknown>
  /** The channels on which nothing has arrived in time. */
  missing(): Promise<string[]>
  close(): void
}

/** Opens one, and says what has not arrived on it within `timeout` ms. */
export function listen(client: ClientPort, channels: readonly string[], kind: MessageKind, timeout: number): Messages {
  const missing = new Set(channels)
  let noteArrival = (): void => {}
  const arrived = new Promise<void>((resolve) => (noteArrival = resolve))
  const late = (): Promise<void> =>
    new Promise((resolve) => void systemClock.setTimeout(resolve, timeout, { keepAlive: false }))
  let close = (): void => {}
  const begun = new Promise<unknown>((resolve) => {
    const connection = client.openMessages(0, kind, {
      onReady: () => void connection.subscribe(channels).then(() => resolve(undefined), resolve),
      onEnd: resolve,
      onMessage(channel) {
        missing.delete(channel.toString())
        if (missing.size === 0) noteArrival()
      },
    })
    close = () => connection.close()
    // Where nothing is said of it, a missing message will tell.
    void late().then(() => resolve(undefined))
  })
  return {
    begun,
    close: () => close(),
    async missing() {
      await Promise.race([arrived, late()])
      return [...missing]
    },
  }
}
