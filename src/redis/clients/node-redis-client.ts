/** The part of a client of node-redis (the package `redis`, 5 or 6) that herdlock uses. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  // `any`: the types of node-redis differ with its modules, its protocol and its version.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly options?: any
  // oxlint-disable-next-line typescript/no-explicit-any
  sendCommand(words: any, options?: any): Promise<any>
  // oxlint-disable-next-line typescript/no-explicit-any
  duplicate(...args: any[]): any
  // oxlint-disable-next-line typescript/no-explicit-any
  on(event: any, listener: (...args: any[]) => void): unknown
  // oxlint-disable-next-line typescript/no-explicit-any
  off(event: any, listener: (...args: any[]) => void): unknown
}
