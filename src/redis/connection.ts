import type { Clock } from '../clock.ts'
import { RedisTimeoutError } from '../errors.ts'
import { labelOf, type RedisClient } from './client.ts'
import { Deadlines } from './deadlines.ts'
import { makeStringsFast } from './fast-strings.ts'
import { gatherWrites, writeThrough } from './gather-writes.ts'
import { lossesOf } from './losses.ts'
import type { Script } from './script.ts'

type Argument = string | number | Buffer

/** A command that was sent without waiting for those of its turn. */
export interface SentAtOnce {
  readonly reply: Promise<unknown>
  /** Whether it has left this process: an event loop that is blocked from now on does not keep it back. */
  hasLeft(): boolean
}

/** An operation that may take more than one command. */
interface Call {
  /** Set at its deadline. */
  expired: boolean
}

/**
 * One Redis, reached through the user's client, with a deadline of our own on every operation: with a default ioredis
 * client a frozen or absent Redis answers after minutes or never.
 */
export class Connection {
  readonly client: RedisClient
  /** Host and port for messages, never credentials. */
  readonly label: string
  readonly #clock: Clock
  readonly #commandTimeout: number
  readonly #deadlines: Deadlines
  /** Operations that Redis refused, failed, or did not answer in time. Only ever grows. */
  failures = 0
  /** Scripts that this instance has answered for; the server may forget them any time (SCRIPT FLUSH, restart). */
  readonly #loaded = new Set<Script>()

  constructor(client: RedisClient, clock: Clock, commandTimeout: number) {
    makeStringsFast() // the client, and so its library, has been loaded
    this.client = client
    this.label = labelOf(client)
    this.#clock = clock
    this.#commandTimeout = commandTimeout
    this.#deadlines = new Deadlines(clock, commandTimeout)
  }

  /** A connection of the same kind to another client, such as one node of a Cluster. */
  to(client: RedisClient): Connection {
    return new Connection(client, this.#clock, this.#commandTimeout)
  }

  /** Sends one command; strings come back as strings. Rejects with Redis's error or `RedisTimeoutError`. */
  command(name: string, ...args: Argument[]): Promise<unknown> {
    return this.#withDeadline(this.#sent(this.client.call(name, ...args)))
  }

  /** Like `command`; strings come back as Buffers. */
  commandBuffer(name: string, ...args: Argument[]): Promise<unknown> {
    return this.#withDeadline(this.#sent(this.client.callBuffer(name, ...args)))
  }

  /** Runs a script in one round trip, its source sent along only when the server may not know it. */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const call = { expired: false }
    return this.#withDeadline(this.#evaluate(script, [keys.length, ...keys, ...args], this.client.call, call), call)
  }

  /** Like `run`; strings come back as Buffers. */
  runBuffer(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const call = { expired: false }
    return this.#withDeadline(
      this.#evaluate(script, [keys.length, ...keys, ...args], this.client.callBuffer, call),
      call,
    )
  }

  /**
   * Runs a script by one command that leaves at once: its source goes along, so that nothing need be sent after the
   * first reply. What has left shows on the client's socket; a Cluster has none, and there only the reply tells.
   */
  runAtOnce(script: Script, keys: readonly string[], args: readonly Argument[]): SentAtOnce {
    const { stream } = this.client
    const before = stream?.bytesWritten
    const reply = this.#withDeadline(this.client.call('eval', script.source, keys.length, ...keys, ...args))
    if (stream === undefined) return { reply, hasLeft: () => false }
    writeThrough(stream)
    const isWritten = (stream.bytesWritten ?? 0) > (before ?? Infinity)
    return { reply, hasLeft: () => isWritten && stream.writableLength === 0 }
  }

  /**
   * Whether the client may send a command again that is sent now: to be asked when its reply has come. Clients do so when
   * they lose a connection between a command and its reply.
   */
  watchForRepetition(): () => boolean {
    // What a client without a connection keeps is sent once, when it has one again.
    if (this.client.status !== undefined && this.client.status !== 'ready') return () => false
    const losses = lossesOf(this.client)
    const before = losses.count
    return () => losses.count > before
  }

  /** Makes the script known ahead of its first use, on every node of a Cluster. */
  async load(script: Script): Promise<void> {
    const nodes = this.client.nodes?.('master') ?? [this.client]
    await Promise.all(nodes.map((node) => this.#withDeadline(node.call('script', 'load', script.source))))
    this.#loaded.add(script)
  }

  async #evaluate(script: Script, args: Argument[], send: RedisClient['call'], call: Call): Promise<unknown> {
    if (this.#loaded.has(script)) {
      try {
        return await this.#sent(send.call(this.client, 'evalsha', script.sha, ...args))
      } catch (error) {
        // After the deadline nothing more is sent: whoever cleans up has already done so.
        if (!isReply(error, 'NOSCRIPT') || call.expired) throw error
      }
    }
    const reply = await this.#sent(send.call(this.client, 'eval', script.source, ...args))
    this.#loaded.add(script)
    return reply
  }

  #sent(reply: Promise<unknown>): Promise<unknown> {
    gatherWrites(this.client.stream)
    return reply
  }

  #withDeadline(reply: Promise<unknown>, call: Call = { expired: false }): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const deadline = this.#deadlines.set(() => {
        call.expired = true
        this.failures++
        const error = new RedisTimeoutError(this.label, this.#commandTimeout)
        lateReplies.set(error, reply)
        reject(error)
      })
      reply.then(
        (value) => {
          this.#deadlines.meet(deadline)
          resolve(value)
        },
        (error: unknown) => {
          this.#deadlines.meet(deadline)
          if (!call.expired) this.failures++
          reject(this.#labelled(error))
        },
      )
    })
  }

  /** Redis's error itself, with the instance it came from as a property, and without the password of a refused log-in. */
  #labelled(error: unknown): Error {
    const labelled = error instanceof Error ? error : new Error(String(error))
    const { command } = labelled as { command?: { name?: unknown; args?: unknown } } // ioredis adds it
    if (/^(auth|hello)$/i.test(String(command?.name))) delete command?.args
    if (!('instance' in labelled)) Object.defineProperty(labelled, 'instance', { value: this.label, enumerable: true })
    return labelled
  }
}

const lateReplies = new WeakMap<Error, Promise<unknown>>()

/**
 * What comes of an operation after all that was given up with `error` at its deadline; undefined for other errors. On
 * one connection commands keep their order, but a Cluster client that follows a failover may send an early one last.
 */
export function lateReply(error: unknown): Promise<unknown> | undefined {
  return error instanceof Error ? lateReplies.get(error) : undefined
}

/** Whether `error` is Redis's error reply that starts with `code`, as in `NOSCRIPT No matching script`. */
function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.message.startsWith(code)
}
