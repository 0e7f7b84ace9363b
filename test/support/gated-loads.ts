import { deferred, type Deferred } from './deferred.ts'

/** Loads of many keys that run until the test ends them; one that is aborted ends by itself. */
export interface GatedLoads {
  readonly loader: (context: { key: string; signal: AbortSignal }) => Promise<string>
  /** Keys whose loads run, in the order in which they began. */
  readonly running: readonly string[]
  /** The most that ever ran at once. */
  readonly most: number
  /** How many have begun. */
  readonly begun: number
  /** Lets the load of `key` end with `value of key`. */
  end(key: string): void
  /** Lets all end that run, and those that begin from then on. */
  endAll(): void
}

export function gatedLoads(): GatedLoads {
  const gates = new Map<Deferred<string>, string>()
  let most = 0
  let begun = 0
  let isOpen = false
  const end = (gate: Deferred<string>, value: string): void => {
    gates.delete(gate)
    gate.resolve(value)
  }
  return {
    async loader({ key, signal }) {
      const gate = deferred<string>()
      begun++
      gates.set(gate, key)
      most = Math.max(most, gates.size)
      signal.addEventListener('abort', () => end(gate, 'aborted'))
      if (isOpen) queueMicrotask(() => end(gate, `value of ${key}`))
      return gate.promise
    },
    get running() {
      return [...gates.values()]
    },
    get most() {
      return most
    },
    get begun() {
      return begun
    },
    end(key) {
      for (const [gate, its] of gates) if (its === key) return end(gate, `value of ${key}`)
    },
    endAll() {
      isOpen = true
      for (const [gate, key] of [...gates]) end(gate, `value of ${key}`)
    },
  }
}
