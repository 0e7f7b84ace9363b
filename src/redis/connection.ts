import type { Clock } from '../clock.ts'
import { RedisTimeoutError, UnexpectedReplyError } from '../errors.ts'
import { clientError, isCrossSlot, isErrorReply, isReply } from './client-error.ts'
import { ClientState, type ClientListener } from './client-state.ts'
import { channelOf, type Argument, type ClientPort, type ReplyKind } from './client-port.ts'
import { Deadlines } from './deadlines.ts'
import { makeStringsFast } from './fast-strings.ts'
import { gatherWrites, writeThrough } from './gather-writes.ts'
import { isQueued } from './reply.ts'
import type { Script } from './script.ts'
import { readValue } from './scripts/read-value.ts'

/** Clean-ups that may wait in the client's queue. */
const MOST_BELATED = 1000

/** A command that was sent without waiting for others of its turn. */
export interface SentAtOnce {
  readonly reply: Promise<unknown>
  /** Whether it has left this process, so that a blocked event loop can no longer hold it back. */
  hasLeft(): boolean
}

/** An operation that may take more than one command. */
interface Call {
  /** Set at its deadline. */
  expired: boolean
  /** Called at that moment. */
  onExpiry?: () => void
}

/**
 * One Redis, reached through the user's client, with our own deadline for every operation. With a default ioredis client,
 * a frozen or absent Redis answers after minutes or never.
 */
export class Connection {
  readonly client: ClientPort
  /** Host and port for messages, never credentials. */
  readonly label: string
  /** Whether a replica that lags behind may answer a plain read. It never answers `read`. */
  readonly readsMayLag: boolean
  /** ms that an operation may take: the given limit, or the client's own limit if that is shorter. */
  readonly commandTimeout: number
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  readonly #state: ClientState
  /** How many operations Redis refused, failed, or did not answer in time. Never decreases. */
  failures = 0
  /** Scripts that this instance has answered for. The server may forget them at any time (SCRIPT FLUSH, restart). */
  readonly #loaded = new Set<Script>()
  #splitsKeys: boolean
  /** Clean-ups that wait in the client's queue until it is connected. */
  #belated = 0

  /** `state`: that of the client, or of the client to which this one belongs. */
  constructor(
    client: ClientPort,
    clock: Clock,
    commandTimeout: number,
    state: ClientState = ClientState.of(client, clock),
  ) {
    makeStringsFast() // the client, and so its library, has been loaded
    this.client = client
    this.label = client.label
    this.readsMayLag = client.readsFromReplicas
    this.commandTimeout = Math.min(commandTimeout, client.commandTimeout ?? Infinity)
    this.#clock = clock
    this.#deadlines = new Deadlines(clock, this.commandTimeout, { hearsOut: true })
    this.#state = state
    this.#splitsKeys = client.isCluster
  }

  /** A similar connection to another client, such as one node of a Cluster. */
  to(client: ClientPort): Connection {
    return new Connection(client, this.#clock, this.commandTimeout, this.#state)
  }

  /**
   * Whether the keys of one command must share a slot: on a Cluster, and after any Redis has refused keys of several
   * slots once. The refused command must then be sent again, key by key.
   */
  get splitsKeys(): boolean {
    return this.#splitsKeys
  }

  /** The name of a channel for clients that also share keys. */
  channel(name: string): string {
    return channelOf(this.client, name)
  }

  /** Reports when the client connects and ends, until the returned function is called. */
  watch(listener: ClientListener): () => void {
    return this.#state.watch(listener)
  }

  /**
   * Whether Redis answers, even with an error, and the client is and stays connected until then. Never rejects.
   */
  async answers(): Promise<boolean> {
    const { status } = this.client
    const { losses } = this.#state
    if (status !== 'unknown' && status !== 'ready') return false
    try {
      await this.command('time')
    } catch (error) {
      if (!isErrorReply(error)) return false
    }
    return this.#state.losses === losses
  }

  /** Stops listening to the client. Commands can still be sent, for example by locks that are released later. */
  close(): void {
    this.#state.leave()
  }

  /** Sends one command; strings come back as strings. Rejects with Redis's error or `RedisTimeoutError`. */
  command(name: string, ...args: Argument[]): Promise<unknown> {
    return this.#operate((call) => this.#send(call, 'text', name, args))
  }

  /** Like `command`; strings come back as Buffers. */
  commandBuffer(name: string, ...args: Argument[]): Promise<unknown> {
    return this.#operate((call) => this.#send(call, 'bytes', name, args))
  }

  /** GET, but never from a replica that lags behind. */
  read(key: string): Promise<unknown> {
    return this.readsMayLag ? this.run(readValue, [key], []) : this.command('get', key)
  }

  /** Like `read`; the value comes as a Buffer. */
  readBuffer(key: string): Promise<unknown> {
    return this.readsMayLag ? this.runBuffer(readValue, [key], []) : this.commandBuffer('get', key)
  }

  /** Runs a script in one round trip. The source is sent only if the server may not know it. */
  run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return this.#operate((call) => this.#evaluate(call, 'text', script, evaluation(script, keys, args)))
  }

  /** Like `run`; strings come back as Buffers. */
  runBuffer(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    return this.#operate((call) => this.#evaluate(call, 'bytes', script, evaluation(script, keys, args)))
  }

  /**
   * Like `run`, for clean-ups. It is also sent while the client cannot connect, and is carried out when it can, although
   * the caller hears at once that it cannot.
   */
  cleanUp(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    if (this.#state.failure !== undefined && this.#belated < MOST_BELATED) {
      this.#belated++
      const isDone = (): void => void this.#belated--
      this.#evaluate({ expired: false }, 'text', script, evaluation(script, keys, args)).then(isDone, isDone)
    }
    return this.run(script, keys, args)
  }

  /**
   * Runs a script with one command that leaves at once. It includes the source, so that nothing need be sent after the
   * first reply. The client's socket shows what has left. A Cluster has no such socket; there only the reply shows it.
   */
  runAtOnce(script: Script, keys: readonly string[], args: readonly Argument[]): SentAtOnce {
    const { stream } = this.client
    const before = stream?.bytesWritten
    const source = [script.source, keys.length, ...keys, ...args]
    const reply = this.#operate(() => this.client.send('text', 'eval', source))
    if (stream === undefined) return { reply, hasLeft: () => false }
    writeThrough(stream)
    const isWritten = (stream.bytesWritten ?? 0) > (before ?? Infinity)
    return { reply, hasLeft: () => isWritten && stream.writableLength === 0 }
  }

  /**
   * Whether the client may have sent a command twice. Call this before the command, and the returned function when its
   * reply has come. Clients repeat a command when they lose the connection before its reply.
   */
  watchForRepetition(): () => boolean {
    // Commands that a client queues without a connection are sent once, when it is connected again.
    if (this.client.status !== 'unknown' && this.client.status !== 'ready') return () => false
    const before = this.#state.losses
    return () => this.#state.losses > before
  }

  /** Loads the script before its first use, on every node of a Cluster. */
  async load(script: Script): Promise<void> {
    const masters = await this.client.masters()
    await Promise.all(masters.map((node) => this.to(node).command('script', 'load', script.source)))
    this.#loaded.add(script)
  }

  /** `args`: those of EVALSHA. */
  async #evaluate(call: Call, as: ReplyKind, script: Script, args: Argument[]): Promise<unknown> {
    if (this.#loaded.has(script)) {
      try {
        return await this.#send(call, as, 'evalsha', args)
      } catch (error) {
        // After the deadline nothing more is sent, because the clean-up has already been sent.
        if (!isReply(error, 'NOSCRIPT') || call.expired) throw error
      }
    }
    const reply = await this.#send(call, as, 'eval', [script.source, ...args.slice(1)])
    if (!isQueued(reply)) this.#loaded.add(script)
    return reply
  }

  #send(call: Call, as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    if (this.#mustWait) return this.#sendWhenReady(call, as, name, args)
    const reply = this.client.send(as, name, args)
    gatherWrites(this.client.stream)
    return reply
  }

  /** Whether the client would refuse commands now, although it is connecting, because it keeps no queue. */
  get #mustWait(): boolean {
    const { queues, status } = this.client
    return status !== 'ready' && !queues && this.#state.isConnecting
  }

  #sendWhenReady(call: Call, as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    const { client } = this
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        stop()
        reject(this.#state.failure ?? new Error(`${this.label} is not connected`))
      }
      const stop = this.watch({
        onReady: () => {
          stop()
          if (!call.expired) client.send(as, name, args).then(resolve, reject)
        },
        onFailure: giveUp,
        onEnd: giveUp,
      })
      call.onExpiry = stop
      if (client.status === 'idle') client.connect()
    })
  }

  /** Carries out an operation before its deadline, or not at all if the client is known to be disconnected. */
  #operate(work: (call: Call) => Promise<unknown>): Promise<unknown> {
    const { failure } = this.#state
    if (failure !== undefined) {
      this.failures++
      return Promise.reject(failure)
    }
    const call: Call = { expired: false }
    const reply = begin(work, call)
    return new Promise((resolve, reject) => {
      const missed = (): void => {
        call.expired = true
        call.onExpiry?.()
        this.failures++
        const cause = this.#state.recentError
        const error = new RedisTimeoutError(this.label, this.commandTimeout, cause && { cause })
        lateReplies.set(error, reply)
        reject(error)
      }
      const deadline = this.#deadlines.set({ missed })
      reply.then(
        (value) => {
          this.#deadlines.meet(deadline)
          if (!isQueued(value)) return resolve(value)
          this.failures++
          reject(new UnexpectedReplyError(`${this.label} queues commands, because a MULTI is open on the client`))
        },
        (error: unknown) => {
          this.#deadlines.meet(deadline)
          if (isCrossSlot(error)) this.#splitsKeys = true
          if (!call.expired) this.failures++
          reject(clientError(error, this.label))
        },
      )
    })
  }
}

/** The arguments of EVALSHA. A batch has a thousand, so they are copied only once. */
function evaluation(script: Script, keys: readonly string[], args: readonly Argument[]): Argument[] {
  return [script.sha, keys.length, ...keys, ...args]
}

/** A client that the application has wrapped may throw where it should reject. */
function begin(work: (call: Call) => Promise<unknown>, call: Call): Promise<unknown> {
  try {
    return work(call)
  } catch (error) {
    return Promise.reject(error as Error)
  }
}

const lateReplies = new WeakMap<Error, Promise<unknown>>()

/**
 * The late result of an operation that was given up with `error` at its deadline; undefined for other errors. On one
 * connection commands keep their order, but a Cluster client that follows a failover may send an early command last.
 */
export function lateReply(error: unknown): Promise<unknown> | undefined {
  return error instanceof Error ? lateReplies.get(error) : undefined
}
