import type { Clock } from '../../clock.ts'
import type { Agenda, Appointment } from '../../lock/agenda.ts'
import type { Random } from '../../random.ts'
import type { Notice } from '../../store/notice.ts'

/** What ends a wait, besides time and messages. Returns what undoes it. */
export type Listening<V> = (wait: Wait<V>) => (() => void)[]

/**
 * One wait for what the refill of another process tells. Thousands may wait, so it costs little more than its promise. It
 * ends once: with a notice, or with `undefined` when it is time to look.
 */
export class Wait<V> {
  readonly #clock: Clock
  readonly #random: Random
  readonly #agenda: Agenda
  #stops: (() => void)[] = []
  #appointment: Appointment | undefined
  /** Local time at which it is over at the latest. */
  #until = Infinity
  /** Set when this wait was told to look, but not at once, because many others were told the same. */
  #again: Notice<V> | undefined
  #hasEnded = false
  readonly #ended: Promise<Notice<V> | undefined>
  // Set by the constructor.
  #resolve!: (notice: Notice<V> | undefined) => void

  constructor(clock: Clock, random: Random, agenda: Agenda) {
    this.#clock = clock
    this.#random = random
    this.#agenda = agenda
    this.#ended = new Promise((resolve) => (this.#resolve = resolve))
  }

  /** Ends without a notice after `lookAfter` ms, and after `ms` at the latest. `listen` may deliver at once. */
  begin(lookAfter: number, ms: number, listen: Listening<V>): Promise<Notice<V> | undefined> {
    if (this.#hasEnded) return this.#ended
    const now = this.#clock.now()
    this.#until = now + ms
    const stops = listen(this)
    this.#stops = stops
    if (this.#hasEnded) this.#stop()
    else if (this.#appointment === undefined) this.#endAt(now + Math.min(lookAfter, Math.max(ms, 0)))
    return this.#ended
  }

  readonly deliver = (notice: Notice<V>): void => {
    if (this.#hasEnded) return
    if (notice.kind !== 'again' || notice.within === 0 || this.#again !== undefined) return this.#end(notice)
    this.#again = notice
    // If the wait must end soon, leave half of the time for the next look.
    const now = this.#clock.now()
    const left = Math.max(this.#until - now, 0) / 2
    this.#endAt(now + Math.min(notice.within * this.#random.uniform(), left))
  }

  /** A notice may have been missed, or nobody waits any more. */
  readonly interrupt = (): void => {
    if (!this.#hasEnded) this.#end(this.#again)
  }

  #endAt(at: number): void {
    if (this.#appointment === undefined) this.#appointment = this.#agenda.add(at, this.interrupt)
    else this.#appointment.moveTo(at)
  }

  #end(notice: Notice<V> | undefined): void {
    this.#hasEnded = true
    this.#appointment?.cancel()
    this.#stop()
    this.#resolve(notice)
  }

  #stop(): void {
    for (const stop of this.#stops) stop()
  }
}
