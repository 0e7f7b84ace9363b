import type { Clock } from '../../clock.ts'
import { StreamLimitError } from '../../errors.ts'
import { Appender, type AppendedTape } from '../../stream/appender.ts'
import { writeChunk } from '../../stream/frames.ts'
import type { StreamLog } from '../../stream/stream-log.ts'
import { describeFailure } from '../refill/describe-failure.ts'
import { GATHERING } from './options.ts'

/** Bytes that wait to be published before whoever writes is told to wait. */
const HIGH_WATER_MARK = 256 * 1024

/** Who writes a publication. */
export interface PublicationListener {
  /** It takes more again. */
  onDrain(): void
  /** It takes nothing any more: the lease is another's, Redis does not answer, or nobody reads it. */
  onClose(): void
}

/** Pieces that are on their way to Redis. */
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

  /** Those before that number are in Redis. */
  drop(count: number): void {
    for (const { length } of this.#frames.splice(0, count - this.#start)) this.bytes -= length
    this.#start = count
  }
}

/** What one load makes, piece by piece, on its way to the processes that wait for its result. */
export class Publication {
  readonly #outbox = new Outbox()
  readonly #appender: Appender
  readonly #key: string
  readonly #maxBytes: number
  readonly #report: (error: unknown) => void
  #listener: PublicationListener | undefined
  #bytes = 0
  /** What has come before it was opened goes out in one command: who reads the head is to know which events there are. */
  #isOpening = false
  #isFull = false
  #isOver = false
  /** Whether its pieces are kept for nobody who comes later: it ends when nobody reads it. */
  #isForReaders = false
  readonly #stopHearing: () => void
  /** Resolves when nothing follows for which the lease is needed. */
  readonly released: Promise<void>
  #release!: () => void

  /** Beyond `maxBytes` in all, those who read it are cut off. */
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

  /** Begins with `first`; `listener` is who writes the rest. */
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

  /** In place of `open`: nothing is published. */
  discard(): void {
    this.#appender.release()
    this.#close()
  }

  /** False: it is full; `onDrain` follows. */
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

  /** What is written leaves by itself. */
  flush(): void {}

  end(piece?: Uint8Array): void {
    if (piece !== undefined) this.write(piece)
    this.#end({})
  }

  /** The rest will not come. */
  cut(reason: unknown = new Error('the rest will not come')): void {
    this.#end({ failure: describeFailure(reason) })
  }

  /** Nobody can begin to read it any more, and its lease is about to be ended: it goes on for those who have begun. */
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
