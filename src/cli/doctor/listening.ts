import { systemClock } from '../../clock.ts'
import type { ClientPort, MessageKind } from '../../redis/client-port.ts'

/** Receives messages on a separate connection. */
interface Messages {
  /** Resolves when the subscriptions are made or should have been, with their error if they failed. */
  readonly begun: Promise<unknown>
  /** The channels on which nothing has arrived in time. */
  missing(): Promise<string[]>
  close(): void
}

/** Opens a connection, and says what has not arrived on it within `timeout` ms. */
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
    // If nothing is reported, a missing message will show it.
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
