import type { Corkable } from '../gather-writes.ts'

/**
 * The part of an ioredis `Redis` or `Cluster` (5 or 6) that herdlock uses. Structural, so that ioredis stays an
 * optional peer and any client with the same few methods will do.
 */
export interface IoredisClient {
  readonly isCluster?: boolean
  readonly options: object
  /** `ready`, `wait` before a lazy connection, `end` after the last; else a stage of connecting or closing. */
  readonly status?: string
  /** Functions that send this command, with text or with bytes in its reply, and by itself: in no automatic pipeline. */
  // oxlint-disable-next-line typescript/no-explicit-any
  createBuiltinCommand(name: string): { string: any; buffer: any }
  // `any`: the signatures of ioredis' Redis and Cluster differ here, and so do those of versions 5 and 6.
  // oxlint-disable-next-line typescript/no-explicit-any
  duplicate(...args: any[]): IoredisClient
  // oxlint-disable-next-line typescript/no-explicit-any
  on(event: string, listener: (...args: any[]) => void): unknown
  // oxlint-disable-next-line typescript/no-explicit-any
  off(event: string, listener: (...args: any[]) => void): unknown
  disconnect(reconnect?: boolean): void
  /** Ends the waiting of a lazy client. */
  // oxlint-disable-next-line typescript/no-explicit-any
  connect?(...args: any[]): Promise<void>
  /** The socket, which a Cluster has not. */
  readonly stream?: Corkable & { readonly errored?: Error | null }
  /** Only on a Cluster: its nodes of that role. */
  nodes?(role: 'master'): IoredisClient[]
  /** Only on a Cluster: by slot its nodes, master first, as `host:port`. */
  readonly slots?: readonly (readonly string[])[]
}
