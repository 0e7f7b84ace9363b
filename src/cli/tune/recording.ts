import type { Asked, Loaded } from './line.ts'

/** The load time of an answer without a recorded duration, until it is known. */
const UNKNOWN = -1

/** The requests of the past in order of arrival, in columns. A million of them take about 30 MB. */
export interface Recording {
  readonly length: number
  readonly keys: number
  /** ms from the first request on. */
  readonly at: Float64Array
  /** Numbers below `keys`. */
  readonly key: Uint32Array
  readonly bytes: Float64Array
  /** ms */
  readonly load: Float64Array
  readonly isKept: Uint8Array
  /** ms from the first to the last. */
  readonly span: number
  /** Whether the lines have only whole seconds. Then the requests of a second have been spread over it. */
  readonly isSpread: boolean
}

export class Recorder {
  readonly #keys = new Map<string, number>()
  readonly #took = new Map<number, number>()
  readonly #at: number[] = []
  readonly #key: number[] = []
  readonly #bytes: number[] = []
  readonly #load: number[] = []
  readonly #isKept: number[] = []

  get length(): number {
    return this.#at.length
  }

  add({ at, key, bytes, load, isKept }: Asked): void {
    this.#at.push(at)
    this.#key.push(this.#numberOf(key))
    this.#bytes.push(bytes)
    this.#load.push(load ?? UNKNOWN)
    this.#isKept.push(isKept ? 1 : 0)
  }

  noteLoad({ key, took }: Loaded): void {
    this.#took.set(this.#numberOf(key), took)
  }

  /** `load`: ms that a load takes if nothing is known. */
  finish(load: number): Recording {
    const length = this.#at.length
    const order = Uint32Array.from({ length }, (_, index) => index)
    const isSorted = this.#at.every((at, index) => index === 0 || (this.#at[index - 1] as number) <= at)
    if (!isSorted) order.sort((one, other) => (this.#at[one] as number) - (this.#at[other] as number) || one - other)
    const column = (values: readonly number[]): Float64Array =>
      Float64Array.from(order, (index) => values[index] as number)
    const at = column(this.#at)
    const isSpread = length > 1 && this.#at.every((each) => each % 1000 === 0)
    if (isSpread) spreadSeconds(at)
    const start = at[0] ?? 0
    for (let index = 0; index < length; index++) at[index] = (at[index] as number) - start
    const key = Uint32Array.from(order, (index) => this.#key[index] as number)
    const loads = column(this.#load)
    for (let index = 0; index < length; index++) {
      if (loads[index] === UNKNOWN) loads[index] = this.#took.get(key[index] as number) ?? load
    }
    return {
      ...{ length, keys: this.#keys.size, at, key, bytes: column(this.#bytes), load: loads },
      isKept: Uint8Array.from(order, (index) => this.#isKept[index] as number),
      ...{ span: at[length - 1] ?? 0, isSpread },
    }
  }

  #numberOf(key: string): number {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    this.#keys.set(key, this.#keys.size)
    return this.#keys.size - 1
  }
}

/** Spreads requests of the same second evenly over it. Otherwise they would look like a herd that never happened. */
function spreadSeconds(at: Float64Array): void {
  for (let from = 0; from < at.length;) {
    let to = from
    while (to < at.length && at[to] === at[from]) to++
    const second = at[from] as number
    for (let index = from; index < to; index++) at[index] = second + (1000 * (index - from)) / (to - from)
    from = to
  }
}
