import type { ServerResponse } from 'node:http'

import type { Exchange } from '../flights/exchange.ts'
import type { FieldBlock } from '../rules/fields.ts'
import { DIRECT } from '../answer/replay.ts'

/** The header that a follower sends. */
export interface FollowedHead {
  readonly status: number
  readonly message: string
  readonly block: FieldBlock
  /** Names of fields that outer layers have set and the handler took away. */
  readonly removed: readonly string[]
}

/** A waiting request whose client gets a response while the handler still writes it, at the client's own pace. */
export class Follower {
  readonly #res: ServerResponse
  /** The common log, which grows while the fill runs; after `part` a queue of its own. */
  #log: Buffer[]
  #next = 0
  #ended = false
  #full = false
  readonly #onDrain = (): void => {
    this.#full = false
    this.#pump()
  }

  constructor({ req, res }: Exchange, head: FollowedHead, log: Buffer[], onGone: (follower: Follower) => void) {
    this.#res = res
    this.#log = log
    for (const name of head.removed) res.removeHeader(name)
    DIRECT.writeHead(res, head.status, head.message, head.block)
    res.on('drain', this.#onDrain)
    res.once('close', () => {
      res.off('drain', this.#onDrain)
      onGone(this)
    })
    if (req.method === 'HEAD') this.end()
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

  /** After `part`: takes a piece; false if the client is more than `most` bytes behind. */
  take(chunk: Buffer, most: number): boolean {
    this.#log = this.#log.slice(this.#next)
    this.#next = 0
    this.#log.push(chunk)
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
