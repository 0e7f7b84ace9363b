import type { Clock } from '../../clock.ts'
import { Instance } from '../../lock/instance.ts'
import { BreakerOpenError } from '../../errors.ts'
import { Breaker, type Guard } from '../../redis/breaker.ts'
import { isErrorReply } from '../../redis/client-error.ts'
import type { ClientPort } from '../../redis/client-port.ts'
import { Connection } from '../../redis/connection.ts'
import { entryKeysBeginning } from '../../redis/entry-keys.ts'
import { FleetLine } from '../../redis/fleet-line.ts'
import type { Inbox } from '../../redis/inbox.ts'
import { Inboxes } from '../../redis/inboxes.ts'
import type { Random } from '../../random.ts'
import { Inspector } from '../../store/inspector.ts'
import type { Ended, Ending, Possession } from '../../store/endings.ts'
import { EVERY_PART, joinedChannel, partChannel } from '../../store/broadcast.ts'
import { RedisStore } from '../../store/redis-store.ts'
import { SlotLine } from '../../store/slot-line.ts'
import { type LogParts, StreamLog } from '../../stream/stream-log.ts'
import type { Backplane } from './backplane.ts'
import type { ResolvedOptions } from '../options.ts'
import type { RedisStats } from '../watch/stats.ts'

/** How members tell their tier of events. */
export interface MemberHooks {
  /** Something failed, but every caller still gets its answer. */
  report(error: unknown): void
  /** A message on the backplane. Its number follows that of the last one of the same `series`. */
  onBackplane(message: Buffer, series: string): void
  /** Messages of these parts arrive from now on. */
  onHears(parts: readonly string[]): void
  /** With tracking: the entries for keys of these forms have changed in Redis. `undefined`: any may have changed. */
  onTracked(forms: readonly string[] | undefined): void
  /** Whether messages about changes by other processes arrive: see `Broadcast`. */
  onSync(state: 'lost' | 'first' | 'again'): void
}

/** One Redis of a cache: its entries, its inbox, and the breaker in front of it. */
export class RedisMember {
  readonly store: RedisStore
  readonly inboxes: Inboxes
  /** The same Redis, for the locker. */
  readonly instance: Instance
  readonly breaker: Breaker
  /** Set if loads are limited. */
  readonly slots: SlotLine | undefined
  readonly #connection: Connection
  readonly #logs: LogParts
  readonly inspector: Inspector
  /** For watching this cache in all processes. */
  readonly fleet: FleetLine
  readonly #report: (error: unknown) => void
  /** Series → the number of its last message since messages arrive. */
  readonly #lastNumbers = new Map<string, number>()
  /** How the channels of parts begin. */
  readonly #parts: string

  constructor(
    client: ClientPort,
    options: ResolvedOptions,
    backplane: Backplane,
    inboxId: string,
    doors: { clock: Clock; random: Random },
    hooks: MemberHooks,
  ) {
    const { clock, random } = doors
    const report = throttled(hooks.report, clock)
    const connection = new Connection(client, clock, options.commandTimeout)
    this.#connection = connection
    const { keyPrefix } = client
    const beginning = keyPrefix + entryKeysBeginning(options.prefix)
    const tracking = {
      prefix: beginning,
      onChange: (keys?: readonly string[]) => hooks.onTracked(keys && valueForms(keys, beginning)),
    }
    const isTracked = options.memory !== false && options.memory.tracking
    const hearsAll = options.memory === false || options.memory.messages === 'all'
    const parts = partChannel(connection, backplane.channel, '')
    this.#parts = parts
    const broadcast = {
      channels: hearsAll ? channelsOf(connection, backplane) : [parts + EVERY_PART],
      onMessage: (message: Buffer, channel: string) => hooks.onBackplane(message, hearsAll ? '' : channel),
      onHears: (channels: readonly string[]) => hooks.onHears(partsOf(channels, parts)),
      onSync: hooks.onSync,
      onFailure: report,
      onUnheard: (topic: string, payload: Buffer) => this.slots?.unheard(topic, payload),
      ...(isTracked ? { tracking } : {}),
    }
    this.inboxes = new Inboxes(connection, clock, random, { broadcast, id: inboxId })
    this.instance = new Instance(connection, this.inbox)
    const breaker = new Breaker(clock, connection.label)
    this.breaker = breaker
    const guard: Guard = (operation) => breaker.run(operation)
    const { maxLoads } = options
    if (maxLoads !== undefined) {
      const own = { connection, inbox: this.inbox, clock, random }
      this.slots = new SlotLine(own, { ...options, maxLoads }, backplane.announceLost(), guard, report)
    }
    this.#logs = { connection, inboxes: this.inboxes, clock, guard, prefix: options.prefix, lockTtl: options.lockTtl }
    this.store = new RedisStore(connection, this.inboxes, clock, options.prefix, report, breaker, this.slots)
    this.inspector = new Inspector(connection, options.prefix)
    this.fleet = new FleetLine(connection, this.inbox, {
      channels: [connection.channel(backplane.channel), ...(parts === '' ? [] : [parts + EVERY_PART])],
      ...{ prefix: options.prefix, write: backplane.writeCall },
    })
    this.#report = report
  }

  /** The run of a stream under that token. */
  streamLog(key: string, token: string): StreamLog {
    return new StreamLog(this.#logs, key, token)
  }

  /** Listens to changes of these parts of the keys. `onHears` reports from when on. */
  hear(parts: readonly string[]): void {
    this.inbox.hear(parts.map((part) => this.#parts + part))
  }

  leave(part: string): void {
    const channel = this.#parts + part
    this.inbox.leave([channel])
    this.#lastNumbers.delete(channel)
  }

  /** Whether no message of that series is missing before the one with that number. */
  isNext(series: string, number: number): boolean {
    const last = this.#lastNumbers.get(series)
    this.#lastNumbers.set(series, number)
    return last === undefined || number === last + 1
  }

  /** Messages may be missing. */
  forgetNumbers(): void {
    this.#lastNumbers.clear()
  }

  /** For all messages except sharded ones. */
  get inbox(): Inbox {
    return this.inboxes.main
  }

  stats(): RedisStats {
    const { label, failures } = this.#connection
    const instance = label.replace(/^redis /, '')
    return { instance, breaker: this.breaker.state, errors: failures, messages: this.inbox.state }
  }

  /** Runs an operation behind the breaker. Rejects with Redis's error or `BreakerOpenError`. */
  run<T>(operation: (store: RedisStore) => Promise<T>): Promise<T> {
    return this.breaker.run(() => operation(this.store))
  }

  /**
   * Ends a refill, behind the breaker. If Redis failed, reports that and resolves with `undefined`, after trying `fallback`,
   * if there is one, so that waiters need not wait until the lease ends.
   */
  end(
    ending: Ending,
    fallback: Ending | undefined,
    key: string,
    possession: Possession & Ended,
  ): Promise<boolean | undefined> {
    if (!this.breaker.admits()) return UNKNOWN
    return ending(this.store.endings, key, possession).catch((error: unknown) => {
      this.report(error)
      if (fallback === undefined) return undefined
      return this.end(fallback, undefined, key, possession).then(() => undefined)
    })
  }

  /** Runs an operation that may fail without harm to a caller. If it fails, reports that and resolves with `undefined`. */
  attempt<T>(operation: (store: RedisStore) => Promise<T>): Promise<T | undefined> {
    return this.#orReport(this.run(operation))
  }

  /** Reports a failure, but not too often. */
  readonly report = (error: unknown): void => {
    if (!(error instanceof BreakerOpenError)) this.#report(error)
  }

  #orReport<T>(work: Promise<T>): Promise<T | undefined> {
    return work.catch((error: unknown) => {
      this.report(error)
      return undefined
    })
  }
}

const UNKNOWN = Promise.resolve(undefined)

/** The channels for changes: one for single changes, one for several in one message. */
function channelsOf(connection: Connection, { channel }: Backplane): string[] {
  const told = connection.channel(channel)
  return connection.splitsKeys ? [told] : [told, joinedChannel(connection, channel)]
}

/** The parts whose channels are among these. */
function partsOf(channels: readonly string[], beginning: string): string[] {
  return channels.filter((each) => each.startsWith(beginning)).map((each) => each.slice(beginning.length))
}

/** The readable forms of the users' keys whose values are among these keys of Redis. */
function valueForms(keys: readonly string[], beginning: string): string[] {
  return keys.filter((key) => key.endsWith('}')).map((key) => key.slice(beginning.length, -1))
}

/** ms for which a lasting failure is not reported again. */
const REPORT_PAUSE = 10_000
/** Kinds of failure that are remembered. */
const KINDS = 100

/** Reports an outage once in a while, not for every operation that fails. */
function throttled(report: (error: unknown) => void, clock: Clock): (error: unknown) => void {
  const reportedAt = new Map<string, number>()
  return (error) => {
    const kind = kindOf(error)
    const now = clock.now()
    if (now - (reportedAt.get(kind) ?? -Infinity) < REPORT_PAUSE) return
    if (reportedAt.size >= KINDS) reportedAt.clear()
    reportedAt.set(kind, now)
    report(error)
  }
}

/** For an error reply only its code, because the rest may name the script or the key. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return isErrorReply(error) ? String(error.message.split(' ', 1)[0]) : String(error)
}
