import { atEndOfTurn } from '../../clock.ts'

/** One of several instances, which listens to parts of the keys. */
interface Listener {
  hear(parts: readonly string[]): void
  leave(part: string): void
}

/** The parts of the keys to which a process listens, in all instances. Those of one tick are asked for together. */
export class HeardParts {
  readonly #listeners: readonly Listener[]
  readonly #onHears: (parts: readonly string[]) => void
  /** To be asked for. */
  readonly #wanted = new Set<string>()
  /** Part → the instances of which its messages arrive. */
  readonly #heard = new Map<string, Set<Listener>>()

  /** `onHears` gets parts of which all messages arrive from now on. */
  constructor(listeners: readonly Listener[], onHears: (parts: readonly string[]) => void) {
    this.#listeners = listeners
    this.#onHears = onHears
  }

  hear(part: string): void {
    this.#wanted.add(part)
    if (this.#wanted.size === 1) atEndOfTurn(() => this.#ask())
  }

  #ask(): void {
    const parts = [...this.#wanted]
    this.#wanted.clear()
    if (parts.length === 0) return
    for (const part of parts) this.#heard.set(part, new Set())
    for (const listener of this.#listeners) listener.hear(parts)
  }

  leave(part: string): void {
    if (this.#wanted.delete(part)) return
    this.#heard.delete(part)
    for (const listener of this.#listeners) listener.leave(part)
  }

  /** The messages of these parts arrive from one of the instances. */
  noteHeard(listener: Listener, parts: readonly string[]): void {
    this.#onHears(parts.filter((part) => this.#heard.get(part)?.add(listener).size === this.#listeners.length))
  }
}
