import type { Corkable } from '../gather-writes.ts'

/**
 * The part of an ioredis `Redis` or `Cluster` (5 or 6) that herdlock uses. The type is structural, so ioredis stays an
 * optional peer, and any client with the same few methods works.
 */
export interface IoredisClient {
  readonly isCluster?: boolean
  readonly options: object
  /** `ready`, `wait` before a lazy connection, `end` after the last one; otherwise a stage of connecting or closing. */
  readonly status?: string
  /** Functions that send this command, with text or bytes in its reply, and outside automatic pipelines. */
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
  /** Connects a lazy client. */
  // oxlint-disable-next-line typescript/no-explicit-any
  connect?(...args: any[]): Promise<void>
  /** The socket; a Cluster has none. */
  readonly stream?: Corkable & { readonly errored?: Error | null }
  /** Only on a Cluster: its nodes of that role. */
  nodes?(role: 'master'): IoredisClient[]
  /** Only on a Cluster: by slot its nodes, master first, as `host:port`. */
  readonly slots?: readonly (readonly string[])[]
}
