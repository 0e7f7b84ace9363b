import { isErrorReply, isReply } from '../../redis/client-error.ts'
import type { RedisNode } from '../node.ts'
import type { Finding } from './finding.ts'
import { listen } from './listening.ts'
import { messageOf, refused } from './refusal.ts'

/** Publishes to our kinds of channels and checks whether the messages arrive on a separate connection, as for an inbox. */
export async function tryMessages(
  { connection }: RedisNode,
  prefix: string,
  id: string,
  timeout: number,
): Promise<Finding> {
  const check = 'messages'
  const channels = [`herdlock:inbox:doctor-${id}`, connection.channel(`${prefix}:backplane`)]
  const rights = `+subscribe +publish &herdlock:inbox:* &${prefix}:*`
  const messages = listen(connection.client, channels, {}, timeout)
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
      // Other processes ignore an empty message.
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
