import { partOf } from '../../store/key-part.ts'
import type { ResolvedOptions } from '../options.ts'

/** Parts that one process listens to. Each costs Redis about 100 bytes. */
const MOST = 1000

/** What to do about parts. */
export interface PartHooks {
  /** Listen to the changes of this part. `noteHeard` is called when they arrive. */
  hear(part: string): void
  /** Nothing of it is held any more. */
  leave(part: string): void
}

/** One of the parts into which a hash divides all keys. */
interface Part {
  /** Entries and flights of its keys. */
  held: number
  /** Whether its changes were asked for. */
  isAsked: boolean
  /** The number of the change since which they arrive. */
  heardSince: number
}

/**
 * Knows which parts of the keys a process holds something of, so that it hears only of changes there. A part is listened to
 * from the first flight or entry on, and stays listened to when it holds nothing, until its place is needed. If all
 * places are taken, further parts are not listened to.
 */
export class Interest {
  readonly #hooks: PartHooks
  readonly #most: number
  readonly #parts = new Map<string, Part>()
  /** Parts that are listened to and hold nothing, the longest first. */
  readonly #idle = new Set<string>()
  #asked = 0

  constructor(hooks: PartHooks, most: number = MOST) {
    this.#hooks = hooks
    this.#most = most
  }

  /** An entry or a flight of the key begins to exist. */
  add(key: string): void {
    const name = partOf(key)
    const part = this.#parts.get(name) ?? { held: 0, isAsked: false, heardSince: Infinity }
    this.#parts.set(name, part)
    part.held++
    this.#idle.delete(name)
    if (part.isAsked || !this.#hasRoom()) return
    part.isAsked = true
    this.#asked++
    this.#hooks.hear(name)
  }

  /** It ceases to exist. */
  remove(key: string): void {
    const name = partOf(key)
    const part = this.#parts.get(name) as Part
    if (--part.held > 0) return
    if (part.isAsked) this.#idle.add(name)
    else this.#parts.delete(name)
  }

  /** The number of the change since which changes of the key arrive; Infinity while they do not. */
  heardSince(key: string): number {
    return this.#parts.get(partOf(key))?.heardSince ?? Infinity
  }

  /** Changes of these parts arrive from the change with that number on. Returns those of which none arrived before. */
  noteHeard(names: readonly string[], since: number): Set<string> {
    const first = new Set<string>()
    for (const name of names) {
      const part = this.#parts.get(name)
      if (part?.isAsked !== true || part.heardSince !== Infinity) continue
      part.heardSince = since
      first.add(name)
    }
    return first
  }

  #hasRoom(): boolean {
    if (this.#asked < this.#most) return true
    const [oldest] = this.#idle
    if (oldest === undefined) return false
    this.#idle.delete(oldest)
    this.#parts.delete(oldest)
    this.#asked--
    this.#hooks.leave(oldest)
    return true
  }
}

/** Undefined if the process hears of every change. */
export function interestOf({ memory, redis }: ResolvedOptions, hooks: PartHooks): Interest | undefined {
  const hearsAll = memory === false || memory.messages === 'all' || redis.length === 0
  return hearsAll ? undefined : new Interest(hooks)
}
