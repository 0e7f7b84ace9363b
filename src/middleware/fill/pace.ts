import type { Clock, Timer } from '../../clock.ts'

/** Something that takes bytes, and that can be cut when it takes none for too long. */
export interface Reader {
  cut(): void
}

/**
 * The pace of a run whose body is not kept. The slowest reader that still reads sets it. A reader that has been full for
 * `stallTimeout` is cut, and no other reader.
 */
export class Pace {
  readonly #clock: Clock
  readonly #stallTimeout: number
  readonly #onReady: () => void
  /** Readers that take nothing now, and since when. The first has been full longest. */
  readonly #full = new Map<Reader, number>()
  #timer: Timer | undefined

  constructor(clock: Clock, stallTimeout: number, onReady: () => void) {
    this.#clock = clock
    this.#stallTimeout = stallTimeout
    this.#onReady = onReady
  }

  get isHeldUp(): boolean {
    return this.#full.size > 0
  }

  /** The reader takes nothing more for now. `hasTaken`: it has taken something since it was last full. */
  full(reader: Reader, hasTaken = false): void {
    if (this.#full.has(reader) && !hasTaken) return
    this.#full.delete(reader)
    this.#full.set(reader, this.#clock.now())
    this.#timer ??= this.#clock.setTimeout(() => this.#cutStalled(), this.#stallTimeout, { keepAlive: false })
  }

  /** The reader takes more, or is gone. */
  ready(reader: Reader): void {
    if (this.#full.delete(reader) && this.#full.size === 0) this.#onReady()
  }

  end(): void {
    this.#full.clear()
    this.#timer?.cancel()
  }

  #cutStalled(): void {
    this.#timer = undefined
    const now = this.#clock.now()
    for (const [reader, since] of this.#full) {
      const left = since + this.#stallTimeout - now
      if (left > 0) {
        this.#timer ??= this.#clock.setTimeout(() => this.#cutStalled(), left, { keepAlive: false })
        return
      }
      reader.cut()
      this.ready(reader)
    }
  }
}
