import { errorMonitor } from 'node:events'

import type {
  Argument,
  ClientPort,
  ClientStatus,
  MessageHooks,
  MessageKind,
  MessageLink,
  PortListener,
  ReplyKind,
  Shard,
} from '../client-port.ts'
import type { NodeRedisClient } from './node-redis-client.ts'
import { openNodeRedisMessages } from './node-redis-messages.ts'
import type { Lent } from './shared-lease.ts'

/** One word of a command, as node-redis takes it. */
export type Word = string | Buffer

/** The type of texts in a reply, as an option of a node-redis command. */
export type Mapping = { readonly typeMapping: object }

/** Listeners of a client. */
export type Events = readonly (readonly [event: string | symbol, listener: (...args: unknown[]) => void])[]

/** By default texts are strings. The client's own mapping is ignored. */
const MAPPINGS: Record<ReplyKind, Mapping> = {
  text: { typeMapping: {} },
  // Bulk, simple and verbatim strings, by their first byte.
  bytes: { typeMapping: { 36: Buffer, 43: Buffer, 61: Buffer } },
}

interface Emitter {
  readonly isOpen: boolean
  on(event: string | symbol, listener: (...args: unknown[]) => void): unknown
  off(event: string | symbol, listener: (...args: unknown[]) => void): unknown
}

/** The common part of all forms of node-redis 5 and 6: clients, Clusters, Sentinels, pools. The application connects them. */
export abstract class NodeRedisPort<C extends Emitter> implements ClientPort {
  abstract readonly label: string
  abstract readonly keyPrefix: string
  abstract readonly db: string
  abstract readonly queues: boolean
  abstract readonly status: ClientStatus
  readonly isCluster: boolean = false
  /** Every command goes to a master, wherever the client sends its own. */
  readonly readsFromReplicas = false
  readonly stream = undefined
  protected readonly client: C

  constructor(client: C) {
    this.client = client
  }

  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    if (!this.client.isOpen) {
      return Promise.reject(new Error(`${this.label} is not connected: call connect() on the client of node-redis`))
    }
    const { words, firstKey } = wordsOf(this.keyPrefix, name, args)
    return this.transmit(words, MAPPINGS[as], firstKey)
  }

  connect(): void {}

  masters(): readonly ClientPort[] {
    return [this]
  }

  listen(listener: PortListener): () => void {
    const events: Events = [[errorMonitor, (error) => listener.onError(error)], ...this.events(listener)]
    for (const [event, on] of events) this.client.on(event, on)
    return () => {
      for (const [event, on] of events) this.client.off(event, on)
    }
  }

  openMessages(attempt: number, kind: MessageKind, hooks: MessageHooks): MessageLink {
    return openNodeRedisMessages(() => this.single(attempt, kind.shard), kind, hooks)
  }

  /** Sends words as they are. `firstKey` decides the node, if there is one. */
  protected abstract transmit(words: Word[], mapping: Mapping, firstKey: Word | undefined): Promise<unknown>

  /** How this form reports that it connects and disconnects, except for errors. */
  protected abstract events(listener: PortListener): Events

  /** A single client on a master, or on the master of `shard`: the model for a connection for messages. */
  protected abstract single(attempt: number, shard?: Shard): NodeRedisClient | Promise<NodeRedisClient>
}

/** For clients that show their database late: throws and returns the client if the database is not the assumed one. */
export function mustBeDatabase({ label, db }: ClientPort, lent: Lent<NodeRedisClient>, rule: string): void {
  const { database = 0 } = (lent.client.options ?? {}) as { database?: number }
  if (String(database) === db) return
  lent.giveBack()
  throw new RangeError(`${label}: the database ${rule}, received ${database}`)
}

/** Events of a client and of a Sentinel client: `reconnecting` comes after each loss and after each failed attempt. */
export function comingAndGoing(listener: PortListener): Events {
  return [
    ['ready', () => listener.onReady()],
    ['reconnecting', () => listener.onClose()],
    ['end', () => noteEnd(listener)],
  ]
}

/** The application has closed the client, or it has given up. */
export function noteEnd(listener: PortListener): void {
  listener.onClose()
  listener.onEnd()
}

const NUMBER_OF_KEYS = 1
const FIRST_KEY = 2

/** Commands whose only key is their first argument, and commands whose arguments are all keys. */
const ONE_KEY: ReadonlySet<string> = new Set(['get', 'set', 'getrange', 'strlen', 'pttl'])
const ALL_KEYS: ReadonlySet<string> = new Set(['mget', 'unlink', 'del'])

/** node-redis adds its `keyPrefix` to the keys of its own methods, but not to commands that are sent as they are. */
function wordsOf(
  prefix: string,
  name: string,
  args: readonly Argument[],
): { words: Word[]; firstKey: Word | undefined } {
  const isScript = name === 'eval' || name === 'evalsha'
  const first = isScript ? FIRST_KEY : 0
  const count = isScript ? Number(args[NUMBER_OF_KEYS]) : ONE_KEY.has(name) ? 1 : ALL_KEYS.has(name) ? args.length : 0
  const words: Word[] = [name]
  for (const [index, word] of args.entries()) {
    if (prefix !== '' && index >= first && index < first + count) words.push(`${prefix}${String(word)}`)
    else words.push(typeof word === 'number' ? String(word) : word)
  }
  return { words, firstKey: count === 0 ? undefined : words[first + 1] }
}
