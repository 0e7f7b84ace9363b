/** The part of all node-redis clients (the package `redis`, 5 or 6) that herdlock uses. */
interface Common {
  readonly isOpen: boolean
  // `any` here and below: the types of node-redis differ with its modules, its protocol and its version.
  // oxlint-disable-next-line typescript/no-explicit-any
  on(event: any, listener: (...args: any[]) => void): unknown
  // oxlint-disable-next-line typescript/no-explicit-any
  off(event: any, listener: (...args: any[]) => void): unknown
}

/** A single client: `createClient()`. */
export interface NodeRedisClient extends Common {
  readonly isReady: boolean
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly options?: any
  // oxlint-disable-next-line typescript/no-explicit-any
  sendCommand(words: any, options?: any): Promise<any>
  // oxlint-disable-next-line typescript/no-explicit-any
  duplicate(...args: any[]): any
}

/** A Cluster's client: `createCluster()`. */
export interface NodeRedisCluster extends Common {
  /** Version 5 does not say. */
  readonly isReady?: boolean
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly _options: any
  readonly masters: readonly { readonly host: string; readonly port: number }[]
  /** The nodes of each slot. Comparing their full types would take the compiler minutes. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly slots: any
  // oxlint-disable-next-line typescript/no-explicit-any
  nodeClient(node: any): any
  // oxlint-disable-next-line typescript/no-explicit-any
  sendCommand(firstKey: any, isReadonly: boolean | undefined, words: any, options?: any): Promise<any>
}

/** A client that asks Sentinels for the master: `createSentinel()`. */
export interface NodeRedisSentinel extends Common {
  readonly isReady: boolean
  // oxlint-disable-next-line typescript/no-explicit-any
  _execute(isReadonly: boolean | undefined, use: (client: any) => Promise<any>): Promise<any>
  /** Version 5 has none. */
  // oxlint-disable-next-line typescript/no-explicit-any
  duplicate?(...args: any[]): any
  getSentinelNode(): unknown
}

/** A pool of clients: `createClientPool()`. */
export interface NodeRedisPool extends Common {
  readonly isClosing: boolean
  readonly identity: { readonly id: string }
  // oxlint-disable-next-line typescript/no-explicit-any
  execute(use: (client: any) => any): Promise<any>
}
