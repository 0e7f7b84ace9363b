import type { Argument, ReplyKind } from '../client-port.ts'
import type { IoredisClient } from './ioredis-client.ts'

type Send = (this: IoredisClient, ...args: readonly Argument[]) => Promise<unknown>

/**
 * Sends commands through an ioredis client, one by one and in order, whatever its options are. `enableAutoPipelining`
 * would send them in its own groups, and breaks ioredis' own `callBuffer`.
 */
export class IoredisSender {
  readonly #client: IoredisClient
  readonly #functions = new Map<string, Record<ReplyKind, Send>>()

  constructor(client: IoredisClient) {
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
