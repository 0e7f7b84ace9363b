import { hostname } from 'node:os'
import type { FleetLine } from '../../cache/watch/inside.ts'
import type { Clock, Timer } from '../../clock.ts'
import type { Random } from '../../random.ts'
import type { CacheWatch } from '../cache-watch.ts'
import type { Figures, ProcessReport } from '../report.ts'
import { readCall, REPORTS, writeReport, type Call } from './messages.ts'

/** ms for which a call is answered. Who looks calls anew long before. */
const ANSWERED_FOR = 13_000

/** Rows of a kind that a report has at most, so that it stays small. */
const MOST_REFILLS = 50
const MOST_FAILURES = 10
const MOST_FLIGHTS = 10

/** This process, as it is named to people. */
export const PROCESS: string = `${hostname()}:${process.pid}`

interface TellerParts {
  readonly line: FleetLine
  readonly path: string
  readonly clock: Clock
  readonly random: Random
  readonly process: string
}

/** Tells those who look from other processes what one cache does here: while they call for it, and at no other time. */
export class Teller {
  readonly #watch: CacheWatch
  readonly #parts: TellerParts
  readonly #stopListening: () => void
  /** By address, until when they are told, and how often. */
  readonly #callers = new Map<string, { readonly until: number; readonly every: number }>()
  /** Set while there are callers. */
  #timer: Timer | undefined

  constructor(watch: CacheWatch, parts: TellerParts) {
    this.#watch = watch
    this.#parts = parts
    this.#stopListening = parts.line.onCall((text) => {
      const call = readCall(text)
      if (call?.path === parts.path && call.to !== parts.line.address) this.#note(call)
    })
  }

  #note({ to, every }: Call): void {
    const { clock, random } = this.#parts
    this.#callers.set(to, { until: clock.now() + ANSWERED_FOR, every })
    if (this.#timer !== undefined) return
    this.#watch.start()
    this.#watch.figures() // what comes first counts from here
    this.#schedule(random.uniform() * every) // not all at once
  }

  #schedule(delay: number): void {
    this.#timer = this.#parts.clock.setTimeout(() => this.#tell(), delay, { keepAlive: false })
  }

  #tell(): void {
    const { line, clock, path, process } = this.#parts
    for (const [to, { until }] of this.#callers) if (clock.now() >= until) this.#callers.delete(to)
    if (this.#callers.size === 0) return this.#rest()
    const every = Math.min(...Array.from(this.#callers.values(), (caller) => caller.every))
    const name = { id: line.address, process, at: clock.wallNow(), every }
    const text = writeReport(path, { ...name, ...shortened(this.#watch.figures()) } satisfies ProcessReport)
    // If it is lost, so be it: the next tells how things stand.
    for (const to of this.#callers.keys()) line.answer(to, REPORTS, text).catch(() => {})
    this.#schedule(every)
  }

  #rest(): void {
    this.#timer = undefined
    this.#watch.stop()
  }

  close(): void {
    this.#stopListening()
    this.#callers.clear()
    this.#timer?.cancel()
    if (this.#timer !== undefined) this.#rest()
  }
}

/** The last of what there is too much of. */
function shortened({ refills, failures, flights, ...figures }: Figures): Figures {
  return {
    ...figures,
    refills: refills.slice(-MOST_REFILLS),
    failures: failures.slice(-MOST_FAILURES),
    flights: { ...flights, rows: flights.rows.slice(0, MOST_FLIGHTS) },
  }
}
