import type { Connection } from '../redis/connection.ts'

export { JOINED, NUMBER_AT, NUMBER_LENGTH } from '../redis/scripts/announce.ts'

/** A message to every process about a change. */
export interface Broadcast {
  /** The channel of the backplane. */
  readonly channel: string
  /** Key of the number of the last message. */
  readonly counter: string
  readonly message: string
}

/** The channel of messages with several changes. Its name begins like those that every Redis user may listen to. */
export function joinedChannel(connection: Connection, channel: string): string {
  return `herdlock:inbox:joined:${connection.channel(channel)}`
}

/**
 * Arguments of scripts that announce changes: channel, joined and counter. If keys lie on several nodes, none of these can
 * count all messages, and PUBSUB knows only the subscribers of one node.
 */
export function announcingArgs(
  connection: Connection,
  { channel, counter }: Pick<Broadcast, 'channel' | 'counter'>,
): [channel: string, joined: string, counter: string] {
  const told = connection.channel(channel)
  if (connection.splitsKeys) return [told, '', '']
  // Keys that a script builds itself do not get the client's own prefix.
  return [told, joinedChannel(connection, channel), connection.client.keyPrefix + counter]
}
