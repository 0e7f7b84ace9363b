import type { ClientPort } from '../../redis/client-port.ts'
import type { Address } from '../address.ts'

/** A client that is connected to one node. */
export interface OpenedClient {
  readonly port: ClientPort
  close(): void
}

/** Connects once, in `timeout` ms at most, and never again. Rejects with why it cannot. */
export type Open = (address: Address, timeout: number) => Promise<OpenedClient>

/** A client library that the command line can use. */
export interface Library<Exports extends object = object> {
  /** What it is installed as. */
  readonly name: string
  /** What each version exports that herdlock works with, and others do not. */
  readonly sign: keyof Exports & string
  readonly opener: (exports: Exports) => Open
}
