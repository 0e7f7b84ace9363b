import { Duplex } from 'node:stream'

import type { Connection } from './connection.ts'

/**
 * Stands in for the connection of a response whose bytes nobody reads: takes everything, is never full, and shows the
 * handler the peer that the request came from.
 */
export class StandInSocket extends Duplex {
  constructor({ values, answers }: Connection) {
    super({ allowHalfOpen: true, writableHighWaterMark: Number.MAX_SAFE_INTEGER })
    for (const [name, value] of Object.entries(values)) {
      if (!(name in this)) Object.defineProperty(this, name, { configurable: true, writable: true, value })
    }
    for (const [name, answer] of Object.entries(answers)) {
      Object.defineProperty(this, name, { configurable: true, writable: true, value: () => answer })
    }
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
