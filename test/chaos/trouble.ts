import type { Bounds } from './bounds.ts'
import type { Fault, History, Load } from './history.ts'

/** Which process was in trouble when. */
export class Trouble {
  /** Of all processes, and of each. */
  readonly #spans = new Map<string, (Fault & { readonly recoveredAt: number })[]>()
  readonly #lapses: History['lapses']
  readonly #longestLoad: number

  constructor({ faults, stalls, lapses }: History, { recovery, longestLoad }: Bounds) {
    const all = [...faults, ...stalls.map((stall) => ({ ...stall, kind: 'stall', harms: true, froze: true }))]
    for (const fault of all) {
      const whose = fault.process ?? ALL
      const known = this.#spans.get(whose) ?? []
      this.#spans.set(whose, known)
      known.push({ ...fault, recoveredAt: fault.to + recovery })
    }
    this.#lapses = lapses
    this.#longestLoad = longestLoad
  }

  /** Whether it harmed that process at some time in between. */
  hits(process: string, from: number, to: number): boolean {
    return this.#of(process).some((fault) => fault.harms && fault.from <= to && fault.recoveredAt >= from)
  }

  /** Whether it harmed any process at some time in between. */
  hitsAny(from: number, to: number): boolean {
    return [...this.#spans.keys()].some((process) => this.hits(process, from, to))
  }

  /** Whether what befell one of the two explains that they run beside each other. */
  excuses(earlier: Load, later: Load): boolean {
    const from = earlier.from - this.#longestLoad // a lease may have been lost in the load before
    if ([earlier, later].some(({ process }) => this.hits(process, from, later.from))) return true
    return this.#lapses.some(
      ({ process, key, at }) =>
        key === earlier.key &&
        process === earlier.process &&
        at >= earlier.from &&
        at <= earlier.to + this.#longestLoad,
    )
  }

  /** Whether some process may have seen in between what nobody was told. */
  silenced(from: number, to: number): boolean {
    const all = [...this.#spans.values()].flat()
    return all.some((fault) => fault.silenced === true && fault.from <= to && fault.to >= from)
  }

  /** ms of that time in which the process, or the Redis that it waits for, did not run. */
  lostTime(process: string, from: number, to: number): number {
    const frozen = this.#of(process).filter(({ froze }) => froze === true)
    return frozen.reduce((sum, fault) => sum + Math.max(0, Math.min(to, fault.to) - Math.max(from, fault.from)), 0)
  }

  #of(process: string): readonly (Fault & { readonly recoveredAt: number })[] {
    return [...(this.#spans.get(ALL) ?? []), ...(this.#spans.get(process) ?? [])]
  }
}

const ALL = ''
