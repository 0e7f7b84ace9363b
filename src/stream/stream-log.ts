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

/** ms for which a log is kept that nobody appends to or reads: to resume it, and for readers that are slow. */
const LOG_KEPT = 60_000
/** ms for which a process is registered as a reader. It reads at least every third of that. */
const REGISTERED = 15_000
export const READ_AT_LEAST_EVERY: number = REGISTERED / 3
/** What one read brings at most: frames, and bytes that are enough. */
const MOST_FRAMES = 4096
const ENOUGH_BYTES = 128 * 1024

/** How a run is over; see the script `streamAppend`. */
export type Over = '' | 'end' | 'release' | 'if-unread' | 'detach'
/** Whether a run that is given up may be resumed: then its log is kept. */
export type Resumption = 'resumable' | 'final'

/** One read of a log. */
export interface Piece {
  /** `undefined` where there is no log. */
  readonly head: Head | undefined
  /** ms after which the producer counts as lost; Infinity where the run is over as it should be, negative where it is lost. */
  readonly life: number
  /** Frames in the log, the end counted, the head not. */
  readonly length: number
  /** Whether no change of the entry, and no other run, has taken its place. */
  readonly isPresent: boolean
  readonly frames: readonly Buffer[]
}

/** Who reads a log. */
export interface Hearing {
  /** Something was appended. */
  onMessage(payload: Buffer): void
  /** Something may have been, and was not told. */
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
 * One run of a stream as it stands in Redis: a list of frames. Its producer appends to it, under the token of its lease;
 * processes read it from any place, and are sent what is appended. All methods reject with Redis's error.
 */
export class StreamLog {
  readonly token: string
  readonly lockTtl: number
  readonly #parts: LogParts
  readonly #keys: StreamKeys
  /** Of the messages to those who read; the producer's own has `LEFT` at its end. */
  readonly #topic: string
  /** Where this process hears of what is appended, if it does. */
  #inbox: Inbox | undefined
  /** The address under which it is registered, if it is. */
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
   * The head and how many chunks there are, which only with `resume` may be more than none; `undefined`: the lease is lost. A
   * run that a change of one of the `tags`, in readable form, has overtaken is not resumed; on a Cluster that is not known.
   */
  async begin(
    mode: 'restart' | 'resume',
    beganAt: number,
    tags: readonly string[] = [],
  ): Promise<{ head: Head; chunks: number } | undefined> {
    const { connection, prefix } = this.#parts
    const head = writeHead({ run: this.token, beganAt })
    const args = [this.token, mode, head, this.lockTtl, this.#keptFor, this.#topic, this.#counts]
    // Keys that a script makes up itself do not get the client's own prefix.
    if (!connection.splitsKeys) args.push(connection.client.keyPrefix + tagKeysBeginning(prefix), ...tags)
    const reply = asList(await this.#run(streamBegin, this.#ofRun, args), 0)
    const known = Buffer.isBuffer(reply[0]) ? readHead(reply[0]) : undefined
    return known && { head: known, chunks: Number(reply[1]) }
  }

  /** Resolves with how many other processes read; `undefined`: nothing was appended, and nothing ever will be. */
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

  /** A piece that begins at chunk number `from`. What is appended from now on goes to `hearing`, if there is one. */
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

  /** Sees to it that this process hears by the best inbox; returns the address that it was registered under, if another. */
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

  /** Whether this process is told of what is appended. Else it has to ask. */
  get isTold(): boolean {
    return this.#inbox?.ready === true && !this.#address.startsWith(NOT_READY)
  }

  stopListening(): void {
    this.#stopHearing()
  }

  /** Calls `onLeft` when the last process that has read has left. */
  listenToReaders(onLeft: () => void): () => void {
    return this.#parts.inboxes.main.listen(this.#topic + LEFT, onLeft)
  }

  /** This process reads no more. */
  async leave(): Promise<void> {
    const { readers } = this.#keys
    this.stopListening()
    await this.#run(streamLeave, [readers], [this.#address, this.token, this.#topic + LEFT])
  }

  get #ofRun(): string[] {
    const { lease, present, log, alive, readers } = this.#keys
    return [lease, present, log, alive, readers]
  }

  /** A log outlives its producer: until then others have noticed that it is lost. */
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
