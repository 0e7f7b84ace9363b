import type { Reader } from './pace.ts'
import type { Outlet, OutletListener } from './sink.ts'

/** Where in a log of pieces something begins. */
export interface PlaceInLog {
  readonly piece: number
  readonly byte: number
}

export const FROM_THE_START: PlaceInLog = { piece: 0, byte: 0 }

/** A waiting request whose client gets a response while the handler still writes it, at the client's own pace. */
export class Follower implements Reader, OutletListener {
  readonly #outlet: Outlet
  readonly #onChange: (follower: Follower) => void
  readonly #onGone: (follower: Follower) => void
  /** The common log, which grows while the fill runs. After `part`, a queue of its own. */
  #log: Buffer[]
  #next: number
  /** Bytes of the next piece that the client already has. */
  #skip: number
  #ended = false
  #full = false
  #isOver = false

  /**
   * `open` begins the answer, which starts at `from` in the log. `onChange`: the follower has become full, or takes more.
   * `onGone`: its client has left.
   */
  constructor(
    open: (listener: OutletListener) => Outlet,
    log: Buffer[],
    from: PlaceInLog,
    onChange: (follower: Follower) => void,
    onGone: (follower: Follower) => void,
  ) {
    this.#log = log
    this.#next = from.piece
    this.#skip = from.byte
    this.#onChange = onChange
    this.#onGone = onGone
    this.#outlet = open(this)
    this.#pump()
  }

  get isFull(): boolean {
    return this.#full
  }

  /** More has come. */
  advance(): void {
    this.#pump()
  }

  /** Copies what it has still to write: the common log is about to be dropped. */
  part(): void {
    this.#outlet.onPart?.()
    this.#dropWritten()
  }

  /** After `part`: one more piece. After the last one, `end` follows. */
  take(chunk: Buffer, isLast: boolean): void {
    if (this.#next > 0) this.#dropWritten()
    this.#log.push(chunk)
    if (!isLast) this.#pump()
  }

  flush(): void {
    if (!this.#isOver) this.#outlet.flush()
  }

  end(): void {
    this.#ended = true
    this.#pump()
  }

  /** The rest will never come, or the client takes nothing any more. Does nothing if the client has everything. */
  cut(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#outlet.cut()
  }

  onDrain(): void {
    if (!this.#full) return
    this.#full = false
    this.#pump()
    if (!this.#full) this.#onChange(this)
  }

  onClose(): void {
    this.#isOver = true
    this.#full = false
    this.#onGone(this)
  }

  #dropWritten(): void {
    this.#log = this.#log.slice(this.#next)
    this.#next = 0
  }

  #end(last?: Buffer): void {
    this.#isOver = true
    this.#outlet.end(last)
  }

  #nextPiece(): Buffer {
    const piece = this.#log[this.#next++] as Buffer
    const skip = this.#skip
    this.#skip = 0
    return skip === 0 ? piece : piece.subarray(skip)
  }

  #pump(): void {
    const wasFull = this.#full
    while (!this.#isOver && !this.#full && this.#next < this.#log.length) {
      const chunk = this.#nextPiece()
      if (this.#ended && this.#next >= this.#log.length) return this.#end(chunk)
      this.#full = !this.#outlet.write(chunk)
    }
    if (this.#ended && !this.#isOver && this.#next >= this.#log.length) this.#end()
    else if (this.#full && !wasFull) this.#onChange(this)
  }
}
