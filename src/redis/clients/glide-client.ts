/** The part of a client of GLIDE (`GlideClient` or `GlideClusterClient` of `@valkey/valkey-glide` 2) that herdlock uses. */
export interface GlideLikeClient {
  // `any`: what may be given differs between the two.
  // oxlint-disable-next-line typescript/no-explicit-any
  customCommand(words: any, options?: any): Promise<any>
  close(errorMessage?: string): void
}

/** The configuration of the client, as far as it matters here. The client keeps the application's own object. */
export interface GlideConfig {
  readonly addresses?: readonly { readonly host: string; readonly port?: number }[]
  readonly databaseId?: number
  readonly requestTimeout?: number
  readonly inflightRequestsLimit?: number
  readonly readFrom?: string
  readonly clientSideCache?: object
  readonly compression?: { readonly enabled?: boolean }
}

/** Members of both clients that their types hide. Each may be missing in a later version. */
export interface HiddenMembers {
  readonly config?: GlideConfig
  readonly isClosed?: boolean
  /** The connection to GLIDE's core in this process, not to Redis. It closes when the client does. */
  readonly socket?: {
    on(event: 'close', listener: () => void): unknown
    off(event: 'close', listener: () => void): unknown
  }
  /** Converts a push of Redis to a message, or to null if it is not a message. */
  notificationToPubSubMessageSafe?(...pushed: unknown[]): unknown
}

/** Only on a Cluster client. */
interface ClusterMembers {
  readonly fcallWithRoute?: unknown
}

/** `Decoder.Bytes` and `ProtocolVersion.RESP3` of GLIDE, which is not imported. */
export const BYTES = 0
export const RESP3 = 0

export function isGlide(client: unknown): client is GlideLikeClient {
  const known = client as Partial<GlideLikeClient> | null | undefined
  return typeof known?.customCommand === 'function' && typeof known.close === 'function'
}

export function isGlideCluster(client: GlideLikeClient): boolean {
  return typeof (client as ClusterMembers).fcallWithRoute === 'function'
}

export function hiddenMembers(client: GlideLikeClient): HiddenMembers {
  return client as HiddenMembers
}
