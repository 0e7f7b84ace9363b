import type { Connection } from '../redis/connection.ts'
import { announceOne } from '../redis/scripts/announce-one.ts'

export { EVERY_PART, JOINED, NUMBER_AT, NUMBER_LENGTH } from '../redis/scripts/announce.ts'

/** A message to every process about a change. */
export interface Broadcast {
  /** The channel of the backplane. */
  readonly channel: string
  /** Key of the number of the last message. */
  readonly counter: string
  readonly message: string
  /** The part of the keys that it concerns. */
  readonly part: string
}

/** The channel of messages with several changes. Its name begins like those that every Redis user may listen to. */
export function joinedChannel(connection: Connection, channel: string): string {
  return `herdlock:inbox:joined:${connection.channel(channel)}`
}

/** The channel of messages about one part of the keys; '' on a Cluster, where every node gets every message anyway. */
export function partChannel(connection: Connection, channel: string, part: string): string {
  return connection.client.isCluster ? '' : `herdlock:inbox:part:${connection.channel(channel)}:${part}`
}

/**
 * Arguments of scripts that announce changes: channel, joined, counter and parts. If keys lie on several nodes, none of
 * these can count all messages, and PUBSUB knows only the subscribers of one node.
 */
export function announcingArgs(
  connection: Connection,
  { channel, counter }: Pick<Broadcast, 'channel' | 'counter'>,
): [channel: string, joined: string, counter: string, parts: string] {
  const told = connection.channel(channel)
  const parts = partChannel(connection, channel, '')
  if (connection.splitsKeys) return [told, '', '', parts]
  // Keys that a script builds itself do not get the client's own prefix.
  return [told, joinedChannel(connection, channel), connection.client.keyPrefix + counter, parts]
}

/** Tells every process of a change that was already made. Rejects with Redis's error. */
export async function announce(connection: Connection, change: Broadcast): Promise<void> {
  const args = announcingArgs(connection, change)
  const [channel, , counter, parts] = args
  if (counter !== '') return void (await connection.run(announceOne, [], [...args, change.message, change.part]))
  await connection.command('publish', channel, change.message)
  if (parts !== '') await connection.command('publish', parts + change.part, change.message)
}
