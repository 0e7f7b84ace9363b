import { systemClock } from '../clock.ts'
import type {
  Argument,
  ClientPort,
  ClientStatus,
  MessageHooks,
  MessageKind,
  MessageLink,
  PortListener,
  ReplyKind,
} from '../redis/client-port.ts'
import type { RedisTime } from './redis-time.ts'

/** `away`: Redis cannot be reached. `dead`: the process of this connection is gone. */
type State = 'connected' | 'away' | 'dead'

/** A connection for messages. */
interface Messages {
  readonly hooks: MessageHooks
  /** The real connection; absent if none could be opened. */
  connection: MessageLink | undefined
  isReady: boolean
  /** The requested subscriptions. */
  asking: number
  isOver: boolean
}

/** A command that waits until Redis is back. */
interface Queued {
  readonly run: () => void
}

/**
 * The connection of one process of a testbed to Redis: the port of the test's client, with faults. Only traffic through
 * this port is disturbed. Redis itself and other users of the client notice nothing.
 */
export class TestPort implements ClientPort {
  readonly isCluster = false
  readonly readsFromReplicas = false
  readonly label: string
  readonly keyPrefix: string
  readonly db: string
  readonly commandTimeout: number | undefined
  readonly #port: ClientPort
  readonly #time: RedisTime
  /** The channel on which a testbed finds out that all earlier messages have arrived. */
  readonly #barrier: string
  #state: State = 'connected'
  readonly #listeners = new Set<PortListener>()
  readonly #messages = new Set<Messages>()
  #queue: Queued[] = []
  /** Functions that fail the commands whose replies are under way. */
  readonly #underWay = new Set<(error: Error) => void>()
  /** Called when less is under way than before. */
  readonly #onLess: (() => void)[] = []
  /** How many messages have come. */
  received = 0
  /** Messages that are still to be lost. */
  #toLose = 0
  /** Called when a message of the barrier arrives. */
  readonly #barrierListeners = new Set<(message: string, messages: Messages) => void>()

  constructor(port: ClientPort, time: RedisTime, barrier: string) {
    this.#port = port
    this.#time = time
    this.#barrier = barrier
    this.label = port.label
    this.keyPrefix = port.keyPrefix
    this.db = port.db
    this.commandTimeout = port.commandTimeout
  }

  get queues(): boolean {
    return this.#port.queues
  }

  get status(): ClientStatus {
    return this.#state === 'away' ? 'connecting' : this.#port.status
  }

  get stream(): ClientPort['stream'] {
    return this.#state === 'connected' ? this.#port.stream : undefined
  }

  /** Whether a command or a connection is under way. */
  get isBusy(): boolean {
    if (this.#state !== 'connected') return false
    return this.#underWay.size > 0 || [...this.#messages].some(({ isReady, asking }) => !isReady || asking > 0)
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.isBusy) await new Promise<void>((resolve) => this.#onLess.push(resolve))
  }

  #noteLess(): void {
    for (const resolve of this.#onLess.splice(0)) resolve()
  }

  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    if (this.#state === 'dead') return new Promise(() => {})
    if (this.#state === 'connected') return this.#send(as, name, args)
    return new Promise((resolve, reject) => {
      this.#queue.push({ run: () => void this.#send(as, name, args).then(resolve, reject) })
    })
  }

  #send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject)
      const end = (settle: () => void) => (): void => {
        if (this.#state !== 'dead') settle()
      }
      this.#time.send(as, name, args).then(
        (reply) =>
          this.#end(
            reject,
            end(() => resolve(reply)),
          ),
        (error: unknown) =>
          this.#end(
            reject,
            end(() => reject(error as Error)),
          ),
      )
    })
  }

  #end(command: (error: Error) => void, settle: () => void): void {
    this.#underWay.delete(command)
    settle()
    this.#noteLess()
  }

  connect(): void {
    if (this.#state === 'connected') this.#port.connect()
  }

  masters(): readonly ClientPort[] {
    return [this]
  }

  listen(listener: PortListener): () => void {
    const told = (tell: (listener: PortListener) => void) => (): void => {
      if (this.#state === 'connected') tell(listener)
    }
    this.#listeners.add(listener)
    const stop = this.#port.listen({
      onReady: told((each) => each.onReady()),
      onClose: told((each) => each.onClose()),
      onConnecting: told((each) => each.onConnecting()),
      onEnd: told((each) => each.onEnd()),
      onNodeLost: told((each) => each.onNodeLost()),
      onError: (error) => told((each) => each.onError(error))(),
    })
    return () => {
      this.#listeners.delete(listener)
      stop()
    }
  }

  openMessages(attempt: number, kind: MessageKind, hooks: MessageHooks): MessageLink {
    const messages: Messages = { hooks, connection: undefined, isReady: false, asking: 0, isOver: false }
    const close = (): void => {
      messages.isOver = true
      this.#messages.delete(messages)
      messages.connection?.close()
      this.#noteLess()
    }
    const link: MessageLink = {
      subscribe: (channels) => this.#subscribe(messages, channels),
      unsubscribe: (channels) => messages.connection?.unsubscribe(channels),
      close,
    }
    if (this.#state === 'dead') return link
    if (this.#state === 'away') {
      queueMicrotask(() => messages.isOver || hooks.onEnd(this.#unreachable()))
      return link
    }
    this.#messages.add(messages)
    messages.connection = this.#port.openMessages(attempt, kind, this.#guarded(messages))
    return link
  }

  async #subscribe(messages: Messages, channels: readonly string[]): Promise<void> {
    messages.asking++
    try {
      await messages.connection?.subscribe(channels)
    } finally {
      // The caller hears of it first.
      systemClock.setImmediate(() => {
        messages.asking--
        this.#noteLess()
      })
    }
  }

  #guarded(messages: Messages): MessageHooks {
    const { hooks } = messages
    return {
      onReady: () => {
        const begun = messages.connection?.subscribe([this.#barrier]) ?? Promise.resolve()
        begun.then(
          () => {
            messages.isReady = true
            if (!messages.isOver) hooks.onReady()
            this.#noteLess()
          },
          (error: unknown) => this.#noteEnd(messages, error),
        )
      },
      onMessage: (channel, message) => {
        if (messages.isOver) return
        if (channel.toString() === this.#barrier) return this.#tellBarrier(message.toString(), messages)
        this.received++
        if (this.#toLose > 0) this.#toLose--
        else hooks.onMessage(channel, message)
      },
      onEnd: (error) => this.#noteEnd(messages, error),
    }
  }

  #noteEnd(messages: Messages, error: unknown): void {
    this.#messages.delete(messages)
    messages.connection?.close()
    if (!messages.isOver) messages.hooks.onEnd(error)
    messages.isOver = true
    this.#noteLess()
  }

  #tellBarrier(message: string, messages: Messages): void {
    for (const listener of [...this.#barrierListeners]) listener(message, messages)
  }

  /** Resolves when every connection for messages has received this message of the barrier, or has ended. */
  heard(message: string): Promise<void> {
    const waiting = new Set([...this.#messages].filter(({ isReady }) => isReady))
    if (waiting.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const onHeard = (heard: string, messages: Messages): void => {
        if (heard === message) waiting.delete(messages)
        for (const each of waiting) if (each.isOver || !this.#messages.has(each)) waiting.delete(each)
        if (waiting.size > 0) return
        this.#barrierListeners.delete(onHeard)
        resolve()
      }
      this.#barrierListeners.add(onHeard)
    })
  }

  /** The next `count` messages are lost on their way to this process. */
  loseMessages(count: number): void {
    this.#toLose += count
  }

  /** Redis cannot be reached from now on. Commands under way are lost. */
  leave(): void {
    if (this.#state !== 'connected') return
    this.#state = 'away'
    const error = this.#unreachable()
    this.#dropAll(error)
    for (const listener of [...this.#listeners]) {
      listener.onError(error)
      listener.onClose() // the connection
      listener.onConnecting()
      listener.onClose() // the first attempt at another one
    }
    this.#noteLess()
  }

  /** Redis can be reached again. */
  comeBack(): void {
    if (this.#state !== 'away') return
    this.#state = 'connected'
    for (const { run } of this.#queue.splice(0)) run()
    for (const listener of [...this.#listeners]) listener.onReady()
  }

  /** The process is gone. */
  die(): void {
    this.#state = 'dead'
    this.#queue = []
    this.#underWay.clear()
    for (const messages of [...this.#messages]) {
      messages.isOver = true
      messages.connection?.close()
    }
    this.#messages.clear()
    this.#noteLess()
  }

  #dropAll(error: Error): void {
    for (const fail of [...this.#underWay]) fail(error)
    this.#underWay.clear()
    for (const messages of [...this.#messages]) {
      messages.connection?.close()
      this.#messages.delete(messages)
      if (messages.isOver) continue
      messages.isOver = true
      messages.hooks.onEnd(error)
    }
  }

  #unreachable(): Error {
    return Object.assign(new Error(`connect ECONNREFUSED ${this.label}`), { code: 'ECONNREFUSED' })
  }
}
