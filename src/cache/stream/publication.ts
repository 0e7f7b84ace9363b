import type { Clock } from '../../clock.ts'
import { StreamLimitError } from '../../errors.ts'
import { Appender, type AppendedTape } from '../../stream/appender.ts'
import { writeChunk } from '../../stream/frames.ts'
import type { StreamLog } from '../../stream/stream-log.ts'
import { describeFailure } from '../refill/describe-failure.ts'
import { GATHERING } from './options.ts'

/** Once this many bytes wait to be published, the writer is told to wait. */
const HIGH_WATER_MARK = 256 * 1024

/** The writer of a publication. */
export interface PublicationListener {
  /** It accepts more again. */
  onDrain(): void
  /** It accepts nothing any more: another process has the lease, Redis does not answer, or nobody reads it. */
  onClose(): void
}

/** Pieces on their way to Redis. */
class Outbox implements AppendedTape {
  #start = 0
  readonly #frames: Buffer[] = []
  bytes = 0

  get length(): number {
    return this.#start + this.#frames.length
  }

  at(index: number): { readonly frame: Buffer } | undefined {
    const frame = this.#frames[index - this.#start]
    return frame && { frame }
  }

  push(frame: Buffer): void {
    this.#frames.push(frame)
    this.bytes += frame.length
  }

  /** Drops the pieces before that number: they are in Redis. */
  drop(count: number): void {
    for (const { length } of this.#frames.splice(0, count - this.#start)) this.bytes -= length
    this.#start = count
  }
}

/** Sends what one load makes, piece by piece, to the processes that wait for its result. */
export class Publication {
  readonly #outbox = new Outbox()
  readonly #appender: Appender
  readonly #key: string
  readonly #maxBytes: number
  readonly #report: (error: unknown) => void
  #listener: PublicationListener | undefined
  #bytes = 0
  /** The first pieces leave in one command: a process that reads the head must know which events there are. */
  #isOpening = false
  #isFull = false
  #isOver = false
  /** Whether nobody can begin to read it any more: it then ends when nobody reads it. */
  #isForReaders = false
  readonly #stopHearing: () => void
  /** Resolves when the lease is no longer needed. */
  readonly released: Promise<void>
  #release!: () => void

  /** Beyond `maxBytes` in all, its readers are cut off. */
  constructor(
    log: StreamLog,
    { key, clock, maxBytes, report }: { key: string; clock: Clock; maxBytes: number; report: (error: unknown) => void },
  ) {
    this.#key = key
    this.#maxBytes = maxBytes
    this.#report = report
    this.released = new Promise((resolve) => (this.#release = resolve))
    const onUnread = (): void => this.#noteUnread()
    this.#appender = new Appender(
      log,
      this.#outbox,
      clock,
      { ...GATHERING, onProducerLost: 'restart' },
      {
        onAppended: (count) => this.#noteAppended(count),
        onLost: () => this.#close(),
        ...{ onUnread, report },
      },
    )
    this.#stopHearing = log.listenToReaders(onUnread)
  }

  /** Begins with `first`; `listener` writes the rest. */
  open(first: Uint8Array, listener: PublicationListener): this {
    this.#listener = listener
    this.#outbox.push(writeChunk(first))
    this.#isOpening = true
    queueMicrotask(() => {
      this.#isOpening = false
      this.#appender.added(this.#outbox.bytes)
    })
    return this
  }

  /** Called instead of `open`: publishes nothing. */
  discard(): void {
    this.#appender.release()
    this.#close()
  }

  /** Returns false if it is full; `onDrain` follows. */
  write(piece: Uint8Array): boolean {
    if (this.#isOver) return true
    this.#bytes += piece.length
    if (this.#bytes > this.#maxBytes) {
      this.cut(new StreamLimitError(this.#key, 'maxBytes', this.#maxBytes))
      return true
    }
    this.#add(piece)
    this.#isFull = this.#outbox.bytes >= HIGH_WATER_MARK
    return !this.#isFull
  }

  /** Nothing to do: written pieces leave by themselves. */
  flush(): void {}

  end(piece?: Uint8Array): void {
    if (piece !== undefined) this.write(piece)
    this.#end({})
  }

  /** The rest will not come. */
  cut(reason: unknown = new Error('the rest will not come')): void {
    this.#end({ failure: describeFailure(reason) })
  }

  /** From now on nobody can begin to read it, and its lease is about to end: it goes on for readers that have begun. */
  onPart(): void {
    this.#isForReaders = true
    this.#appender.detach().catch(this.#report).finally(this.#release)
    this.#noteUnread()
  }

  #add(piece: Uint8Array): void {
    const frame = writeChunk(piece)
    this.#outbox.push(frame)
    if (!this.#isOpening) this.#appender.added(frame.length)
  }

  #noteAppended(count: number): void {
    this.#outbox.drop(count)
    if (!this.#isFull || this.#outbox.bytes >= HIGH_WATER_MARK) return
    this.#isFull = false
    this.#listener?.onDrain()
  }

  #noteUnread(): void {
    if (!this.#isForReaders || this.#isOver) return
    const end = (isUnread: boolean): void => {
      if (isUnread) this.#close()
    }
    this.#appender.endIfUnread().then(end, this.#report)
  }

  #end(end: Parameters<Appender['end']>[0]): void {
    if (this.#isOver) return
    this.#isOver = true
    void this.#appender.end(end).then(() => this.#close())
  }

  #close(): void {
    this.#isOver = true
    this.#stopHearing()
    this.#release()
    this.#listener?.onClose()
  }
}
