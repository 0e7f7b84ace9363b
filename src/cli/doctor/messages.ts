import { systemClock } from '../../clock.ts'
import { isErrorReply, isReply } from '../../redis/client-error.ts'
import type { ClientPort } from '../../redis/client-port.ts'
import type { RedisNode } from '../node.ts'
import type { Finding } from './finding.ts'
import { messageOf, refused } from './refusal.ts'

/** Publishes to channels of our kinds and hears whether it arrives on a connection of its own, as an inbox would. */
export async function tryMessages(
  { connection }: RedisNode,
  prefix: string,
  id: string,
  timeout: number,
): Promise<Finding> {
  const check = 'messages'
  const channels = [`herdlock:inbox:doctor-${id}`, connection.channel(`${prefix}:backplane`)]
  const rights = `+subscribe +publish &herdlock:inbox:* &${prefix}:*`
  const messages = listen(connection.client, channels, timeout)
  try {
    const failure = await messages.begun
    if (isReply(failure, 'NOPERM')) return refused(check, 'SUBSCRIBE', failure, rights)
    if (failure !== undefined) {
      return {
        ...{ check, level: 'fail', said: `a second connection, for messages, is refused: ${messageOf(failure)}` },
        change: 'raise maxclients, if the check of clients says that it is reached: a process of yours takes two',
      }
    }
    try {
      // An empty message is nobody's: other processes let it pass.
      for (const channel of channels) await connection.command('publish', channel, '')
    } catch (error) {
      if (!isErrorReply(error)) throw error
      return refused(check, 'PUBLISH', error, rights)
    }
    const missing = await messages.missing()
    if (missing.length === 0) return { check, level: 'ok', said: 'what is published arrives' }
    const said = `what was published to ${missing.join(', ')} did not arrive within ${timeout} ms`
    return { check, level: 'fail', said, change: 'see whether something stands between that holds messages back' }
  } finally {
    messages.close()
  }
}

interface Messages {
  /** When the subscriptions stand, or should stand: what they have failed with, if they have. */
  readonly begun: Promise<unknown>
  /** The channels on which nothing has arrived in time. */
  missing(): Promise<string[]>
  close(): void
}

function listen(client: ClientPort, channels: readonly string[], timeout: number): Messages {
  const missing = new Set(channels)
  let noteArrival = (): void => {}
  const arrived = new Promise<void>((resolve) => (noteArrival = resolve))
  const late = (): Promise<void> =>
    new Promise((resolve) => void systemClock.setTimeout(resolve, timeout, { keepAlive: false }))
  let close = (): void => {}
  const begun = new Promise<unknown>((resolve) => {
    const subscription = client.openMessages(
      0,
      { channels },
      {
        onReady: () => resolve(undefined),
        onEnd: resolve,
        onMessage(channel) {
          missing.delete(channel.toString())
          if (missing.size === 0) noteArrival()
        },
      },
    )
    close = () => subscription.close()
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
