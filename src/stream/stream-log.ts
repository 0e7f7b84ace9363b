import type { Clock } from '../clock.ts'
import type { Guard } from '../redis/breaker.ts'
import type { Connection } from '../redis/connection.ts'
import { countsSubscribers } from '../redis/counts-subscribers.ts'
import type { Inbox } from '../redis/inbox.ts'
import type { Inboxes } from '../redis/inboxes.ts'
import { asList } from '../redis/reply.ts'
import { NOT_READY } from '../redis/scripts/tell-readers.ts'
import { streamAppend } from '../redis/scripts/stream-append.ts'
import { streamBegin } from '../redis/scripts/stream-begin.ts'
import { streamLeave } from '../redis/scripts/stream-leave.ts'
import { streamRead } from '../redis/scripts/stream-read.ts'
import { tagKeysBeginning } from '../redis/entry-keys.ts'
import { streamKeys, type StreamKeys } from '../redis/stream-keys.ts'
import { readHead, writeHead, type Head } from './frames.ts'

/** ms for which a log is kept after the last append or read: to resume it, and for slow readers. */
const LOG_KEPT = 60_000
/** ms for which a process is registered as a reader. It reads at least every third of that. */
const REGISTERED = 15_000
export const READ_AT_LEAST_EVERY: number = REGISTERED / 3
/** Limits of one read: most frames, and bytes after which it reads no further. */
const MOST_FRAMES = 4096
const ENOUGH_BYTES = 128 * 1024

/** How a run ends, see the script `streamAppend`. */
export type Over = '' | 'end' | 'release' | 'if-unread' | 'detach'
/** Whether another producer may resume a run that is given up. Then its log is kept. */
export type Resumption = 'resumable' | 'final'

/** One read of a log. */
export interface Piece {
  /** `undefined` if there is no log. */
  readonly head: Head | undefined
  /** ms after which the producer counts as lost. Infinity: the run ended properly. Negative: the producer is lost. */
  readonly life: number
  /** Frames in the log, including the end but not the head. */
  readonly length: number
  /** Whether neither a change of the entry nor another run has replaced it. */
  readonly isPresent: boolean
  readonly frames: readonly Buffer[]
}

/** A reader of a log. */
export interface Hearing {
  /** Something was appended. */
  onMessage(payload: Buffer): void
  /** Something may have been appended without a message. */
  onReset(): void
}

export interface LogParts {
  readonly clock: Clock
  readonly connection: Connection
  readonly inboxes: Inboxes
  readonly prefix: string
  /** ms for which a producer counts as alive after a sign of life. */
  readonly lockTtl: number
  readonly guard: Guard
}

/**
 * One run of a stream in Redis: a list of frames. Its producer appends to it, under the token of its lease. Other processes
 * read it from any position, and are sent what is appended. All methods reject with Redis's error.
 */
export class StreamLog {
  readonly token: string
  readonly lockTtl: number
  readonly #parts: LogParts
  readonly #keys: StreamKeys
  /** The topic of messages to readers. With `LEFT` at its end, the topic of messages to the producer. */
  readonly #topic: string
  /** Where this process gets messages about appended frames, if it does. */
  #inbox: Inbox | undefined
  /** The address under which this process is registered, if it is. */
  #address = ''
  #stopHearing: () => void = () => {}

  constructor(parts: LogParts, key: string, token: string) {
    this.#parts = parts
    this.token = token
    this.lockTtl = parts.lockTtl
    this.#keys = streamKeys(parts.prefix, key, token)
    this.#topic = this.#keys.log
  }

  /**
   * The head, and how many chunks there are: more than none only with `resume`. `undefined`: the lease is lost. A run is not
   * resumed if one of the `tags`, in readable form, has changed since it began. On a Cluster that is not known.
   */
  async begin(
    mode: 'restart' | 'resume',
    beganAt: number,
    tags: readonly string[] = [],
  ): Promise<{ head: Head; chunks: number } | undefined> {
    const { connection, prefix } = this.#parts
    const head = writeHead({ run: this.token, beganAt })
    const args = [this.token, mode, head, this.lockTtl, this.#keptFor, this.#topic, this.#counts]
    // Keys that a script builds itself do not get the client's own prefix.
    if (!connection.splitsKeys) args.push(connection.client.keyPrefix + tagKeysBeginning(prefix), ...tags)
    const reply = asList(await this.#run(streamBegin, this.#ofRun, args), 0)
    const known = Buffer.isBuffer(reply[0]) ? readHead(reply[0]) : undefined
    return known && { head: known, chunks: Number(reply[1]) }
  }

  /** Resolves with how many other processes read. `undefined`: nothing was appended, and nothing ever will be. */
  async append(
    index: number,
    frames: readonly Buffer[],
    over: Over = '',
    resumption: Resumption = 'resumable',
  ): Promise<number | undefined> {
    const fixed = [this.token, index, this.lockTtl, this.#keptFor, this.#topic, this.#counts, over, resumption]
    const reading = Number(await this.#run(streamAppend, this.#ofRun, [...fixed, ...frames]))
    return reading < 0 ? undefined : reading
  }

  /** A piece that begins at chunk number `from`. If `hearing` is given, it gets what is appended from now on. */
  async read(from: number, hearing: Hearing | undefined, most: number = MOST_FRAMES): Promise<Piece> {
    const former = hearing === undefined ? '' : this.#listen(hearing)
    const args = [this.#address, former, REGISTERED, LOG_KEPT, from, most, ENOUGH_BYTES]
    const { log, alive, readers, present } = this.#keys
    const reply = await this.#run(streamRead, [log, alive, readers, present], [...args, this.token])
    const [life, length, isPresent, head, ...frames] = asList(reply, 3)
    return {
      head: Buffer.isBuffer(head) ? readHead(head) : undefined,
      life: Number(life) || Infinity,
      length: Number(length),
      isPresent: Number(isPresent) === 1,
      frames: frames as Buffer[],
    }
  }

  /** Makes this process listen at the best inbox. Returns the address that it was registered under, if that changed. */
  #listen({ onMessage, onReset }: Hearing): string {
    const { inboxes, clock } = this.#parts
    if (!inboxes.main.ready) inboxes.main.open().catch(() => {})
    const inbox = inboxes.of(this.#keys.log)
    if (inbox !== this.#inbox) {
      this.#stopHearing()
      this.#stopHearing = inboxes.listen(this.#keys.log, this.#topic, clock.now(), onMessage, onReset)
      this.#inbox = inbox
    }
    const former = this.#address
    this.#address = inbox.ready ? inbox.address : NOT_READY + inbox.address
    return former === this.#address ? '' : former
  }

  /** Whether this process gets messages about what is appended. Otherwise it has to read. */
  get isTold(): boolean {
    return this.#inbox?.ready === true && !this.#address.startsWith(NOT_READY)
  }

  stopListening(): void {
    this.#stopHearing()
  }

  /** Calls `onLeft` when the last reading process has left. */
  listenToReaders(onLeft: () => void): () => void {
    return this.#parts.inboxes.main.listen(this.#topic + LEFT, onLeft)
  }

  /** Tells Redis that this process reads no more. */
  async leave(): Promise<void> {
    const { readers } = this.#keys
    this.stopListening()
    await this.#run(streamLeave, [readers], [this.#address, this.token, this.#topic + LEFT])
  }

  get #ofRun(): string[] {
    const { lease, present, log, alive, readers } = this.#keys
    return [lease, present, log, alive, readers]
  }

  /** A log outlives its producer for long enough that others notice the loss. */
  get #keptFor(): number {
    return LOG_KEPT + this.lockTtl
  }

  get #counts(): string {
    return countsSubscribers(this.#parts.connection)
  }

  #run(...args: Parameters<Connection['runBuffer']>): Promise<unknown> {
    const { connection, guard } = this.#parts
    return guard(() => connection.runBuffer(...args))
  }
}

const LEFT = ':left'
