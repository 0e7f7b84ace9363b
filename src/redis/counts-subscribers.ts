import type { Connection } from './connection.ts'

/**
 * ARGV of the scripts that may hand a lock over: '1' if PUBLISH counts every subscriber. On a Cluster it counts only
 * those of one node.
 */
export function countsSubscribers(connection: Connection): string {
  return connection.splitsKeys ? '0' : '1'
}
