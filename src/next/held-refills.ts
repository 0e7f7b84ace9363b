import { onAbort } from '../abort.ts'
import type { Refill } from '../cache/claim.ts'

/**
 * Refills between the `get` that missed and the `set` that brings the result. Next names only the key in both, so the
 * oldest of several is taken. A refill that ends by itself, because no result came in time, is dropped.
 */
export class HeldRefills<V> {
  readonly #byKey = new Map<string, Refill<V>[]>()

  hold(key: string, refill: Refill<V>): void {
    const { signal } = refill.context
    if (signal.aborted) return
    const held = this.#byKey.get(key)
    if (held === undefined) this.#byKey.set(key, [refill])
    else held.push(refill)
    onAbort(signal, () => this.#drop(key, refill))
  }

  take(key: string): Refill<V> | undefined {
    const refill = this.#byKey.get(key)?.[0]
    if (refill !== undefined) this.#drop(key, refill)
    return refill
  }

  #drop(key: string, refill: Refill<V>): void {
    const left = this.#byKey.get(key)?.filter((each) => each !== refill)
    if (left?.length) this.#byKey.set(key, left)
    else this.#byKey.delete(key)
  }
}
