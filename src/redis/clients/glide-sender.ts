import type { Argument, ReplyKind } from '../client-port.ts'
import { BYTES, type GlideLikeClient } from './glide-client.ts'
import { asReplyError } from './glide-error.ts'

/** The target of a command on a Cluster client, in GLIDE's own form. */
export interface Route {
  readonly type: 'primarySlotKey'
  readonly key: string
}

/** Sends commands through a GLIDE client. At most `most` of them are under way; the others wait in order. */
export class GlideSender {
  readonly #client: GlideLikeClient
  readonly #most: number
  readonly #waiting: (() => void)[] = []
  #underWay = 0

  constructor(client: GlideLikeClient, most: number) {
    this.#client = client
    this.#most = most
  }

  send(as: ReplyKind, words: readonly Argument[], route: Route | undefined): Promise<unknown> {
    if (this.#underWay < this.#most) return this.#sendNow(as, words, route)
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.#sendNow(as, words, route))))
  }

  async #sendNow(as: ReplyKind, words: readonly Argument[], route: Route | undefined): Promise<unknown> {
    this.#underWay++
    try {
      const texts = words.map((word) => (typeof word === 'number' ? String(word) : word))
      // Always bytes: with its decoder for text, GLIDE drops a reply that is not UTF-8.
      const reply: unknown = await this.#client.customCommand(texts, { decoder: BYTES, route })
      return as === 'text' ? asText(reply) : reply
    } catch (error) {
      throw asReplyError(error)
    } finally {
      this.#underWay--
      this.#waiting.shift()?.()
    }
  }
}

function asText(reply: unknown): unknown {
  if (reply instanceof Buffer) return reply.toString()
  return Array.isArray(reply) ? reply.map(asText) : reply
}
