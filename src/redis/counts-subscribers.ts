import type { Connection } from './connection.ts'

/** ARGV of the scripts that may hand a lock over: '1' where PUBLISH counts every subscriber. Of several nodes it counts one. */
export function countsSubscribers(connection: Connection): string {
  return connection.splitsKeys ? '0' : '1'
}
