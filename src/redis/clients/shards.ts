import { hashSlot, numberInSlots } from '../hash-slot.ts'
import type { Shard } from '../client-port.ts'

/** The masters of a Cluster, found by slot. Slots move, so each is looked up every time. */
export class Shards {
  readonly #nodeOf: (slot: number) => string | undefined
  readonly #known = new Map<string, Shard>()

  /** `nodeOf`: the master that has a slot, as far as the client knows. */
  constructor(nodeOf: (slot: number) => string | undefined) {
    this.#nodeOf = nodeOf
  }

  /** The master that has `slot`; the same object as long as its tag is in one of its slots. */
  of(slot: number): Shard | undefined {
    const node = this.#nodeOf(slot)
    if (node === undefined) return undefined
    const known = this.#known.get(node)
    if (known !== undefined && this.#nodeOf(hashSlot(known.tag)) === node) return known
    const shard = { node, tag: numberInSlots((each) => this.#nodeOf(each) === node) }
    this.#known.set(node, shard)
    return shard
  }
}
