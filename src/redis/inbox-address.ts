/**
 * Where others publish to for an inbox: the id of its process, which the hash tag of a shard of a Cluster precedes where
 * that is to be done on that shard. A process may so have several.
 */
export function inboxAddress(id: string, shardTag: string | undefined): string {
  return shardTag === undefined ? id : `{${shardTag}}${id}`
}

/** The id of the process whose inbox it is. */
export function processOfInbox(address: string): string {
  return address.replace(/^\{.*\}/, '')
}
