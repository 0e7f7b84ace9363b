import type { Connection } from '../redis/connection.ts'

export { JOINED, NUMBER_AT, NUMBER_LENGTH } from '../redis/scripts/announce.ts'

/** What every process is told of a change. */
export interface Broadcast {
  /** Of the backplane. */
  readonly channel: string
  /** Key of the number of the last message. */
  readonly counter: string
  readonly message: string
}

/** The channel of messages that tell several changes. Its name begins as those do that every user may listen to. */
export function joinedChannel(connection: Connection, channel: string): string {
  return `herdlock:inbox:joined:${connection.channel(channel)}`
}

/**
 * Arguments of scripts that announce changes: channel, joined and counter. Where keys lie on several nodes there is none
 * that could count all messages, and PUBSUB knows the subscribers of one node only.
 */
export function announcingArgs(
  connection: Connection,
  { channel, counter }: Pick<Broadcast, 'channel' | 'counter'>,
): [channel: string, joined: string, counter: string] {
  const told = connection.channel(channel)
  if (connection.splitsKeys) return [told, '', '']
  // Keys that a script makes up itself do not get the client's own prefix.
  return [told, joinedChannel(connection, channel), connection.client.keyPrefix + counter]
}
