import { systemClock } from '../../clock.ts'
import { type RedisNode, Unreachable } from '../node.ts'
import type { Finding } from './finding.ts'
import { refused } from './refusal.ts'
import { isReply } from './rights.ts'

/** Publishes to channels of our kinds and hears whether it arrives on a connection of its own, as an inbox would. */
export async function tryMessages(node: RedisNode, prefix: string, id: string, timeout: number): Promise<Finding> {
  const check = 'messages'
  const channels = [`herdlock:inbox:doctor-${id}`, node.connection.channel(`${prefix}:backplane`)]
  const rights = `+subscribe +publish &herdlock:inbox:* &${prefix}:*`
  const subscriber = await node.another().catch(orUnreachable)
  if (subscriber instanceof Unreachable) {
    return {
      ...{ check, level: 'fail', said: `a second connection, for messages, is refused: ${subscriber.message}` },
      change: 'raise maxclients, if the check of clients says that it is reached: a process of yours takes two',
    }
  }
  try {
    const missing = new Set(channels)
    const arrived = new Promise<boolean>((resolve) => {
      subscriber.onMessage((channel) => {
        missing.delete(channel)
        if (missing.size === 0) resolve(true)
      })
      systemClock.setTimeout(() => resolve(false), timeout, { keepAlive: false })
    })
    let what = 'SUBSCRIBE'
    try {
      await subscriber.connection.command('subscribe', ...channels)
      what = 'PUBLISH'
      // An empty message is nobody's: other processes let it pass.
      for (const channel of channels) await node.connection.command('publish', channel, '')
    } catch (error) {
      if (!isReply(error)) throw error
      return refused(check, what, error, rights)
    }
    if (await arrived) return { check, level: 'ok', said: 'what is published arrives' }
    const said = `what was published to ${[...missing].join(', ')} did not arrive within ${timeout} ms`
    return { check, level: 'fail', said, change: 'see whether something stands between that holds messages back' }
  } finally {
    subscriber.close()
  }
}

function orUnreachable(error: unknown): Unreachable {
  if (error instanceof Unreachable) return error
  throw error
}
