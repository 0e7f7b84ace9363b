import type { Argument } from './client-port.ts'
import type { Connection } from './connection.ts'
import { inboxChannel, inboxMessage } from './inbox-address.ts'
import type { Inbox } from './inbox.ts'

/** How to call all processes. */
export interface CallToAll {
  /** The channels of which each process listens to one. */
  readonly channels: readonly string[]
  /** The prefix of the cache. */
  readonly prefix: string
  write(text: string): string
}

/**
 * Connects processes that watch one cache. A call to all goes over the channels of which all caches of the prefix listen
 * to one anyway. Answers go to the caller's inbox. By itself it does nothing.
 */
export class FleetLine {
  readonly #connection: Connection
  readonly #inbox: Inbox
  readonly #toAll: CallToAll
  readonly #listeners = new Set<(text: string) => void>()

  constructor(connection: Connection, inbox: Inbox, toAll: CallToAll) {
    this.#connection = connection
    this.#inbox = inbox
    this.#toAll = toAll
  }

  /** Names this process. Answers to it go there. */
  get address(): string {
    return this.#inbox.address
  }

  /** Passes every call to `listener`, including our own, until the returned function is called. */
  onCall(listener: (text: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The prefix of the cache's keys. */
  get prefix(): string {
    return this.#toAll.prefix
  }

  /** A call has arrived. */
  heard(text: string): void {
    for (const listener of [...this.#listeners]) listener(text)
  }

  /** Resolves when answers can arrive. */
  open(): Promise<void> {
    return this.#inbox.open()
  }

  /** Calls all processes. Rejects with Redis's error. */
  async call(text: string): Promise<void> {
    const message = this.#toAll.write(text)
    await Promise.all(this.#toAll.channels.map((channel) => this.command('publish', channel, message)))
  }

  /** How many processes hear a call. On a Cluster, how many of them are connected to one of its nodes. */
  async listeners(): Promise<number> {
    const reply = (await this.command('pubsub', 'numsub', ...this.#toAll.channels)) as unknown[]
    return reply.reduce<number>((sum, each, i) => sum + (i % 2 === 1 ? Number(each) : 0), 0)
  }

  /** Passes every answer to `listener`, until the returned function is called. */
  listen(topic: string, listener: (payload: Buffer) => void): () => void {
    return this.#inbox.listen(topic, listener)
  }

  /** Answers the process of that address. Rejects with Redis's error. */
  async answer(address: string, topic: string, payload: string): Promise<void> {
    await this.command('publish', inboxChannel(address), inboxMessage(topic, payload))
  }

  /** Sends one command. Rejects with Redis's error. */
  command(name: string, ...args: Argument[]): Promise<unknown> {
    return this.#connection.command(name, ...args)
  }
}
