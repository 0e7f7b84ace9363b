import type { Argument, RedisClient } from './client.ts'

/** Whether the texts of a reply come as strings or as Buffers. */
export type ReplyKind = 'text' | 'bytes'

type Send = (this: RedisClient, ...args: readonly Argument[]) => Promise<unknown>

/**
 * Sends commands through an ioredis client, one by one and in their order, whatever its options are.
 * `enableAutoPipelining` would send them in groups of its own, and breaks ioredis' own `callBuffer`.
 */
export class Sender {
  readonly #client: RedisClient
  readonly #functions = new Map<string, Record<ReplyKind, Send>>()

  constructor(client: RedisClient) {
    this.#client = client
  }

  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    let functions = this.#functions.get(name)
    if (functions === undefined) {
      const { string, buffer } = this.#client.createBuiltinCommand(name) as { string: Send; buffer: Send }
      this.#functions.set(name, (functions = { text: string, bytes: buffer }))
    }
    return functions[as].call(this.#client, ...args)
  }
}
