/**
 * The address to which others publish for an inbox: the id of its process. If they are to publish on a shard of a
 * Cluster, the hash tag of that shard precedes it. So a process may have several addresses.
 */
export function inboxAddress(id: string, shardTag: string | undefined): string {
  return shardTag === undefined ? id : `{${shardTag}}${id}`
}

/** The channel on which the inbox of that address gets its messages. */
export function inboxChannel(address: string): string {
  return `herdlock:inbox:${address}`
}

/** A message for an inbox: the length of its topic, which is ASCII, a colon, the topic, and the payload. */
export function inboxMessage(topic: string, payload = ''): string {
  return `${topic.length}:${topic}${payload}`
}

/** The id of the process whose inbox it is. */
export function processOfInbox(address: string): string {
  return address.replace(/^\{.*\}/, '')
}
