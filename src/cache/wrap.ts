import type { Cache, WrapOptions } from './cache.ts'
import type { CallOptions } from './options.ts'

/** A function that calls `fn` behind that `getOrRefill`. */
export function wrapped<A extends unknown[], V>(
  getOrRefill: Cache['getOrRefill'],
  fn: (...args: A) => V | Promise<V>,
  options: WrapOptions<A, V>,
): (...args: A) => Promise<V> {
  const { key, ...callOptions } = options
  const given = Object.keys(callOptions).length > 0 ? (callOptions as CallOptions<V>) : undefined
  return function (this: unknown, ...args) {
    try {
      return getOrRefill(key.apply(this, args), () => fn.apply(this, args), given)
    } catch (error) {
      return Promise.reject(error) // of `key`
    }
  }
}
