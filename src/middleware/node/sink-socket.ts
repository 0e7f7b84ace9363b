import type { IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'

/**
 * Stands in for the connection of a response whose bytes nobody reads: takes everything, is never full, and shows the
 * handler the peer that the request came from.
 */
export class SinkSocket extends Duplex {
  readonly encrypted: boolean
  readonly authorized: boolean
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly remoteFamily: string | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined

  constructor(like: IncomingMessage['socket'] | null) {
    super({ allowHalfOpen: true })
    const peer = (like ?? {}) as Partial<IncomingMessage['socket']> & { encrypted?: boolean; authorized?: boolean }
    this.encrypted = peer.encrypted === true
    this.authorized = peer.authorized === true
    this.remoteAddress = peer.remoteAddress
    this.remotePort = peer.remotePort
    this.remoteFamily = peer.remoteFamily
    this.localAddress = peer.localAddress
    this.localPort = peer.localPort
  }

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, callback: () => void): void {
    callback()
  }

  override _writev(_chunks: unknown, callback: () => void): void {
    callback()
  }

  destroySoon(): void {
    this.destroy()
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
