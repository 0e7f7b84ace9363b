import type { Clock, Timer } from '../../clock.ts'
import type { Slot } from './slot.ts'

/** Why a load gets no slot: its time to wait is over (`over`), or it is no longer wanted in this form (`stopped`). */
export type NoSlot = 'over' | 'stopped'

/** What ends a wait without a slot of its own. A loader may lend its slot, here or (`lent`) in another process. */
export type CutShort = Slot | 'lent' | NoSlot

/** A wait for one slot, by one load or by all loads of one batch loader. */
export class Queueing {
  readonly #clock: Clock
  /** Local time at which it is over. */
  readonly #until: number
  #timer: Timer | undefined
  /** How many loads want the slot. If none is left, the wait is stopped. */
  #wanting = 0
  #isCutShort = false
  /** Set at the end. */
  #outcome: Slot | NoSlot | undefined
  readonly cutShort: Promise<CutShort>
  /** Ends the wait. Only the first call counts. */
  cut!: (how: CutShort) => void
  readonly outcome: Promise<Slot | NoSlot>

  /** `queue` gets the slot, and calls `begin` when the wait for it begins. */
  constructor(clock: Clock, until: number, queue: (queueing: Queueing) => Promise<Slot | NoSlot>) {
    this.#clock = clock
    this.#until = until
    this.cutShort = new Promise((resolve) => {
      this.cut = (how) => {
        this.#isCutShort = true
        resolve(how)
      }
    })
    this.outcome = queue(this).then((outcome) => this.#end(outcome))
  }

  get isCutShort(): boolean {
    return this.#isCutShort
  }

  /** Whether another load may want the same slot. */
  get isJoinable(): boolean {
    const outcome = this.#outcome
    return outcome === undefined ? !this.#isCutShort : typeof outcome !== 'string' && !outcome.hasEnded
  }

  /** There is no slot at once: from here on, time runs. */
  begin(): void {
    const ms = Math.max(this.#until - this.#clock.now(), 0)
    this.#timer ??= this.#clock.setTimeout(() => this.cut('over'), ms)
  }

  /** The slot for one more load, or why there is none. `onStop` gets a function that stops the wait of that load. */
  async enter(onStop: (stop: () => void) => void): Promise<Slot | NoSlot> {
    this.#wanting++
    const stopped = new Promise<NoSlot>((resolve) => onStop(() => resolve('stopped')))
    const outcome = await Promise.race([this.outcome, stopped])
    this.#wanting--
    if (typeof outcome !== 'string') return outcome.share()
    if (this.#wanting === 0) this.#abandon()
    return outcome
  }

  #abandon(): void {
    if (this.#outcome === undefined) this.cut('stopped')
    else if (typeof this.#outcome !== 'string') this.#outcome.endIfUnused()
  }

  #end(outcome: Slot | NoSlot): Slot | NoSlot {
    this.#timer?.cancel()
    this.#outcome = outcome
    if (this.#wanting === 0) this.#abandon()
    return outcome
  }
}
