import type { ServerResponse } from 'node:http'

import type { Exchange } from './exchange.ts'
import { blockOf, type FlatFields } from './fields.ts'
import { DIRECT } from './replay.ts'

/** What a follower needs to know of the fill that it follows. */
export interface Followed {
  readonly status: number
  readonly message: string
  readonly fields: FlatFields
  readonly removed: readonly string[]
  /** Grows while the fill runs. */
  readonly log: readonly Buffer[]
}

/** A waiting request whose client gets a response while the handler still writes it, at the client's own pace. */
export class Follower {
  readonly exchange: Exchange
  readonly #res: ServerResponse
  #log: readonly Buffer[]
  #next = 0
  #ended = false
  #full = false
  readonly #onDrain = (): void => {
    this.#full = false
    this.#pump()
  }

  constructor(exchange: Exchange, followed: Followed, cacheStatus: string, onGone: (follower: Follower) => void) {
    this.exchange = exchange
    this.#res = exchange.res
    this.#log = followed.log
    const fields = blockOf(followed.fields)
    fields.push('Cache-Status', cacheStatus)
    for (const name of followed.removed) this.#res.removeHeader(name)
    DIRECT.writeHead(this.#res, followed.status, followed.message, fields)
    this.#res.on('drain', this.#onDrain)
    this.#res.once('close', () => {
      this.#res.off('drain', this.#onDrain)
      onGone(this)
    })
    if (exchange.req.method === 'HEAD') this.end()
    else this.#pump()
  }

  /** More has come. */
  advance(): void {
    this.#pump()
  }

  /** Keeps what is still to be written for itself: the common log is about to be dropped. */
  part(): void {
    this.#log = this.#log.slice(this.#next)
    this.#next = 0
  }

  /** After `part`: takes a piece; false if the client is too far behind. */
  take(chunk: Buffer, most: number): boolean {
    ;(this.#log as Buffer[]).push(chunk)
    this.#pump()
    let behind = this.#res.writableLength
    for (let index = this.#next; index < this.#log.length; index++) behind += this.#log[index]?.length ?? 0
    return behind <= most
  }

  end(): void {
    this.#ended = true
    this.#pump()
  }

  /** The rest will never come: the client must see that what it has is not all. */
  cut(): void {
    this.#res.destroy()
  }

  #pump(): void {
    while (!this.#full && this.#next < this.#log.length) {
      const chunk = this.#log[this.#next++]
      if (chunk !== undefined) this.#full = !this.#res.write(chunk)
    }
    if (this.#ended && this.#next >= this.#log.length && !this.#res.writableEnded) this.#res.end()
  }
}
