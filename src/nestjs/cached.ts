import { Inject } from '@nestjs/common'

import type { CallOptions } from '../cache/options.ts'
import { checkFunction, checkObject } from '../check.ts'
import { Cache } from './cache-token.ts'
import { callKey } from './call-key.ts'

/** Options of `@Cached()`: those of `getOrRefill`, and how arguments become a key. */
export interface CachedOptions<A extends unknown[]> extends Omit<CallOptions, 'signal'> {
  /**
   * The key of a call. Default: the names of class and method, and the arguments: `UserService.find(["1"])`. Then the
   * arguments must be plain JSON. `this` is the object.
   */
  key?: ((this: never, ...args: A) => string) | undefined
}

/** For methods that return a promise and take these arguments. */
export type CachedDecorator<A extends unknown[]> = <M extends (...args: A) => Promise<unknown>>(
  target: object,
  name: string | symbol,
  method: TypedPropertyDescriptor<M>,
) => void

type Method = (...args: never[]) => unknown

const CACHE: unique symbol = Symbol('herdlock.cache')

/** An object that Nest has made has the cache. One that was made with `new` has none. */
interface Host {
  readonly [CACHE]?: Cache
}

/**
 * Puts a method of a provider or controller behind the cache of `HerdlockModule`. When several callers call it with the
 * same arguments at once, in any process, it runs once. Calls reject as `getOrRefill` does, and with a TypeError if no
 * key can be made from the arguments. If Nest has not made the object, as in a unit test, the method runs for each call.
 *
 * @throws TypeError for a `key` that is no function, and if it does not decorate a method
 */
export function Cached<A extends unknown[] = never[]>(options: CachedOptions<A> = {}): CachedDecorator<A> {
  const { key, ...callOptions } = checkObject('options', options) as CachedOptions<A>
  if (key !== undefined) checkFunction('key', key)
  return (target, name, descriptor) => {
    checkObject('what has the method of @Cached()', target, 'an object, and the method not static')
    const method = checkFunction('what @Cached() decorates', descriptor.value as Method | undefined) as Method
    async function cached(this: Host, ...args: A): Promise<unknown> {
      const load = (): unknown => method.apply(this, args as never)
      const cache = this[CACHE]
      if (cache === undefined) return load()
      const ofCall = key === undefined ? callKey(cache, this, name, args) : key.apply(this as never, args)
      return cache.getOrRefill(ofCall, load, callOptions)
    }
    injectCache(target)
    takeAfter(method, cached)
    descriptor.value = cached as never
  }
}

/** Once for a class and its subclasses, however many of their methods are cached. */
function injectCache(target: object): void {
  if (CACHE in target) return
  Object.defineProperty(target, CACHE, { value: undefined, writable: true })
  Inject(Cache)(target, CACHE)
}

/** Has the name and length of the method that it replaces, and the metadata of other decorators: routes, guards. */
function takeAfter(method: Method, cached: (...args: never[]) => unknown): void {
  for (const name of ['name', 'length'] as const) {
    Object.defineProperty(cached, name, { value: method[name], configurable: true })
  }
  for (const key of Reflect.getOwnMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), cached)
  }
}
