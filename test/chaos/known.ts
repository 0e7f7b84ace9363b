import type { Call, History } from './history.ts'

/** ms that a replica may be behind its master where nothing keeps it from following. */
const REPLICATION = 500

/** Which version is the oldest that a call may get. */
export class Known {
  /** By key: changes that were done, in the order in which they were. */
  readonly #done = new Map<string, Steps>()
  /** By process and key: changes that it made or heard of. */
  readonly #heard = new Map<string, Steps>()

  constructor({ changes, hearings, faults }: History) {
    const losses = faults.filter(({ loses }) => loses === true)
    const lost = new Set<string>()
    for (const { process, key, version, from, to, isDone } of changes) {
      if (losses.some((loss) => loss.from - REPLICATION <= to && loss.to >= from)) lost.add(`${key} ${version}`)
      if (!isDone || lost.has(`${key} ${version}`)) continue
      stepsOf(this.#done, key).add(to, version)
      stepsOf(this.#heard, `${process} ${key}`).add(to, version)
    }
    for (const { process, key, version, at } of hearings) {
      if (!lost.has(`${key} ${version}`)) stepsOf(this.#heard, `${process} ${key}`).add(at, version)
    }
  }

  least(
    call: Pick<Call, 'process' | 'key' | 'from' | 'how'>,
    grace: number,
  ): { version: number; rule: string; why: string } {
    const { process, key, from, how } = call
    const heard = this.#heard.get(`${process} ${key}`)?.at(from) ?? 0
    const done = this.#done.get(key)?.at(how === 'own' ? from : from - grace) ?? 0
    if (heard >= done) return { version: heard, rule: 'fresh', why: 'known to it' }
    if (how === 'own') return { version: done, rule: 'resurrection', why: 'done before' }
    return { version: done, rule: 'fresh', why: `done ${grace} ms before` }
  }
}

/** A number that only grows, by instant. */
class Steps {
  readonly #steps: { at: number; version: number }[] = []
  #isSorted = true

  add(at: number, version: number): void {
    this.#steps.push({ at, version })
    this.#isSorted = false
  }

  /** The largest of those at or before `instant`. */
  at(instant: number): number {
    this.#sort()
    let [low, high] = [0, this.#steps.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#steps[middle] as { at: number }).at <= instant) low = middle + 1
      else high = middle
    }
    return this.#steps[low - 1]?.version ?? 0
  }

  #sort(): void {
    if (this.#isSorted) return
    this.#isSorted = true
    this.#steps.sort((a, b) => a.at - b.at)
    let most = 0
    for (const step of this.#steps) step.version = most = Math.max(most, step.version)
  }
}

function stepsOf(map: Map<string, Steps>, name: string): Steps {
  const known = map.get(name) ?? new Steps()
  map.set(name, known)
  return known
}
