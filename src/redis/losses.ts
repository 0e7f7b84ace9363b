import type { RedisClient } from './client.ts'

/** Counts the connections that a client has lost. */
export interface Losses {
  readonly count: number
}

const known = new WeakMap<RedisClient, { count: number }>()

/** The same object for the same client, which gets one listener however often this is called. */
export function lossesOf(client: RedisClient): Losses {
  let losses = known.get(client)
  if (losses === undefined) {
    const counted = { count: 0 }
    known.set(client, (losses = counted))
    // A Cluster tells of the connection to a node, which it drops when it is lost.
    client.on(client.isCluster === true ? '-node' : 'close', () => counted.count++)
  }
  return losses
}
