import type { FleetLine } from '../../cache/watch/inside.ts'
import type { Clock, Timer } from '../../clock.ts'
import { keep } from '../keep.ts'
import { messageOf } from '../report.ts'
import type { FailureReport, FleetUpdate, Past, ProcessName, ProcessReport, RefillReport, Sample } from '../report.ts'
import { readReport, REPORTS, writeCall } from './messages.ts'

/** ms from one call to the next. */
const CALLS_EVERY = 5000
/** ms between two reports of one process: no less than this, and than so much for each process that there is. */
const SHORTEST = 1000
const FOR_EACH = 10
/** Processes that are told of. Reports of others are left unread. */
const MOST_PROCESSES = 500
/** So many times its interval, and ms at least, after which a process that says nothing is forgotten. */
const SILENCES = 4
const SILENT_FOR = 15_000
/** What is remembered of one process; of samples fewer where there are many processes. */
const SAMPLES = 300
const SAMPLES_OF_ALL = 30_000
const REFILLS = 100
const FAILURES = 20

interface Known extends ProcessName {
  readonly samples: Sample[]
  readonly refills: RefillReport[]
  readonly failures: FailureReport[]
  heardAt: number
  every: number
}

/** Hears, while somebody looks here, what the other processes that have one cache tell of it. */
export class Lookout {
  readonly #line: FleetLine
  readonly #path: string
  readonly #refresh: number
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()
  /** Those that the next update tells. */
  #reports: ProcessReport[] = []
  /** As far as Redis knows. */
  #listeners = 1
  #error: string | undefined
  #timer: Timer | undefined
  /** A slow Redis is not called again meanwhile. */
  #isCalling = false
  /** Set while somebody looks. */
  #stopListening: (() => void) | undefined

  constructor(line: FleetLine, path: string, refresh: number, clock: Clock) {
    this.#line = line
    this.#path = path
    this.#refresh = refresh
    this.#clock = clock
  }

  /** Names this process among the others. */
  get id(): string {
    return this.#line.address
  }

  /** Of those that are not forgotten. */
  get past(): (ProcessName & Past)[] {
    return Array.from(this.#known.values(), ({ id, process, samples, refills, failures }) => {
      return { id, process, samples, refills, failures }
    })
  }

  start(): void {
    this.#stopListening = this.#line.listen(REPORTS, (payload) => this.#take(payload.toString()))
    this.#callAgain()
  }

  stop(): void {
    this.#stopListening?.()
    this.#stopListening = undefined
    this.#timer?.cancel()
    this.#reports = []
  }

  /** What has come since the last time. */
  update(): FleetUpdate {
    this.#forgetSilent()
    const reports = this.#reports
    this.#reports = []
    return { reports, count: Math.max(this.#listeners, this.#known.size + 1), error: this.#error }
  }

  #callAgain(): void {
    this.#timer = this.#clock.setTimeout(() => this.#callAgain(), CALLS_EVERY, { keepAlive: false })
    if (this.#isCalling) return
    this.#isCalling = true
    this.#call()
      .then(
        () => (this.#error = undefined),
        (error: unknown) => (this.#error = messageOf(error)),
      )
      .finally(() => (this.#isCalling = false))
  }

  async #call(): Promise<void> {
    await this.#line.open()
    this.#listeners = await this.#line.listeners().catch(() => 1) // which may be forbidden
    if (this.#stopListening === undefined) return
    const processes = Math.max(this.#listeners, this.#known.size)
    const every = Math.max(this.#refresh, SHORTEST, processes * FOR_EACH)
    await this.#line.call(writeCall({ to: this.#line.address, path: this.#path, every }))
  }

  #take(text: string): void {
    const report = readReport(text, this.#path)
    if (report === undefined) return
    const known = this.#known.get(report.id) ?? this.#admit(report)
    if (known === undefined) return
    const arrived = onOurClock(report, this.#clock.wallNow())
    known.heardAt = this.#clock.now()
    known.every = report.every
    const samples = Math.min(SAMPLES, Math.ceil(SAMPLES_OF_ALL / this.#known.size))
    if (arrived.sample !== undefined) keep(known.samples, arrived.sample, samples)
    for (const refill of arrived.refills) keep(known.refills, refill, REFILLS)
    for (const failure of arrived.failures) keep(known.failures, failure, FAILURES)
    keep(this.#reports, arrived, MOST_PROCESSES)
  }

  #admit({ id, process, every }: ProcessReport): Known | undefined {
    if (this.#known.size >= MOST_PROCESSES) return undefined
    const known = { id, process, every, samples: [], refills: [], failures: [], heardAt: 0 }
    this.#known.set(id, known)
    return known
  }

  #forgetSilent(): void {
    const now = this.#clock.now()
    for (const [id, { heardAt, every }] of this.#known) {
      if (now - heardAt > Math.max(SILENCES * every, SILENT_FOR)) this.#known.delete(id)
    }
  }
}

/** Hosts disagree about the time: what has just been told is taken to have been so just now. */
function onOurClock(report: ProcessReport, now: number): ProcessReport {
  const ahead = report.at - now
  const moved = <T extends { readonly at: number }>(item: T): T => ({ ...item, at: item.at - ahead })
  return {
    ...report,
    at: now,
    sample: report.sample && moved(report.sample),
    refills: report.refills.map(moved),
    failures: report.failures.map(moved),
    unshared: report.unshared.map(moved),
  }
}
