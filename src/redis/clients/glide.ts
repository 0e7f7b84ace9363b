import type {
  Argument,
  ClientPort,
  ClientStatus,
  MessageHooks,
  MessageKind,
  MessageLink,
  PortListener,
  ReplyKind,
} from '../client-port.ts'
import { numberInSlots } from '../hash-slot.ts'
import { asList } from '../reply.ts'
import { type GlideConfig, type GlideLikeClient, hiddenMembers, isGlideCluster } from './glide-client.ts'
import { openGlideMessages } from './glide-messages.ts'
import { GlideSender, type Route } from './glide-sender.ts'

/**
 * Commands under way at once to a single Redis. With more than fifty, GLIDE may send them in another order than they were
 * called.
 */
const IN_ORDER = 32
/** GLIDE's default. It refuses more. */
const INFLIGHT_LIMIT = 1000
/** ms, GLIDE's default. */
const REQUEST_TIMEOUT = 250

/** Carries out the command in ARGV. The KEYS only choose the node. */
const PASS_ON = 'return redis.call(unpack(ARGV))'
/** Commands that GLIDE always sends to masters unchanged, whatever its options are. */
const SCRIPTS: ReadonlySet<string> = new Set(['eval', 'evalsha', 'script'])
/** Commands without a key. */
const KEYLESS: ReadonlySet<string> = new Set(['time', 'publish', 'scan', 'cluster'])

/** GLIDE 2, for a single Redis or a Cluster. */
export class GlidePort implements ClientPort {
  readonly isCluster: boolean
  readonly keyPrefix = ''
  /** A command that could go to a replica goes to the master in a script. */
  readonly readsFromReplicas = false
  readonly queues = true
  readonly stream = undefined
  readonly #client: GlideLikeClient
  readonly #sender: GlideSender
  /** The route to one master of a Cluster. */
  readonly #route: Route | undefined

  constructor(client: GlideLikeClient, master?: { sender: GlideSender; route: Route }) {
    this.#client = client
    this.#route = master?.route
    this.isCluster = master === undefined && isGlideCluster(client)
    const { inflightRequestsLimit = INFLIGHT_LIMIT } = this.#config
    const share = Math.max(1, Math.floor(inflightRequestsLimit / 2)) // the rest is the application's
    this.#sender = master?.sender ?? new GlideSender(client, this.isCluster ? share : Math.min(share, IN_ORDER))
  }

  get label(): string {
    const { host = 'localhost', port = 6379 } = this.#config.addresses?.[0] ?? {}
    return isGlideCluster(this.#client) ? 'redis cluster' : `redis ${host}:${port}`
  }

  get db(): string {
    return String(this.#config.databaseId ?? 0)
  }

  get commandTimeout(): number {
    return this.#config.requestTimeout ?? REQUEST_TIMEOUT
  }

  /** It reconnects silently. */
  get status(): ClientStatus {
    return hiddenMembers(this.#client).isClosed === true ? 'ended' : 'unknown'
  }

  get #config(): GlideConfig {
    return hiddenMembers(this.#client).config ?? {}
  }

  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    return this.#sender.send(as, this.#passesOn(name) ? this.#inScript(name, args) : [name, ...args], this.#route)
  }

  connect(): void {}

  async masters(): Promise<readonly ClientPort[]> {
    if (!this.isCluster) return [this]
    const ranges = asList(await this.send('text', 'cluster', ['slots']), 1) as SlotRange[]
    const rangeOf = new Map(ranges.map((range) => [String(range[2]), range])) // one of each master
    const sender = this.#sender
    return [...rangeOf.values()].map(([first, last]) => {
      return new GlidePort(this.#client, {
        sender,
        route: { type: 'primarySlotKey', key: numberInSlots((slot) => first <= slot && slot <= last) },
      })
    })
  }

  listen(listener: PortListener): () => void {
    const { socket } = hiddenMembers(this.#client)
    const onClose = (): void => {
      listener.onError(new Error('the client of GLIDE is closed'))
      listener.onClose()
      listener.onEnd()
    }
    socket?.on('close', onClose)
    return () => void socket?.off('close', onClose)
  }

  openMessages(_attempt: number, kind: MessageKind, hooks: MessageHooks): MessageLink {
    return openGlideMessages(this.#client, kind, hooks)
  }

  /** Whether the client has options that would change how it treats this command. */
  #passesOn(name: string): boolean {
    if (SCRIPTS.has(name) || (isGlideCluster(this.#client) && KEYLESS.has(name))) return false
    const { readFrom = 'primary', clientSideCache, compression } = this.#config
    return readFrom !== 'primary' || clientSideCache !== undefined || compression?.enabled === true
  }

  #inScript(name: string, args: readonly Argument[]): Argument[] {
    const keys = isGlideCluster(this.#client) ? args.slice(0, 1) : []
    return ['eval', PASS_ON, keys.length, ...keys, name, ...args]
  }
}

/** First and last slot, and the master, in the reply of `CLUSTER SLOTS`. */
type SlotRange = readonly [first: number, last: number, master: unknown]
