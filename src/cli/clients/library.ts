import type { ClientPort } from '../../redis/client-port.ts'
import type { Address } from '../address.ts'

/** A client that is connected to one node. */
export interface OpenedClient {
  readonly port: ClientPort
  close(): void
}

/** Connects once, within `timeout` ms, and never again. Rejects with the reason if it cannot. */
export type Open = (address: Address, timeout: number) => Promise<OpenedClient>

/** A client library that the command line can use. */
export interface Library<Exports extends object = object> {
  /** The name of its package. */
  readonly name: string
  /** What each supported version exports, and others do not. */
  readonly sign: keyof Exports & string
  readonly opener: (exports: Exports) => Open
}
