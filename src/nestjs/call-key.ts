import type { Cache } from '../cache/cache.ts'
import { wrongType } from '../errors.ts'

/** By cache, the class of each name: two classes with the same name must not share keys. */
const classes = new WeakMap<Cache, Map<string, unknown>>()

/**
 * The key of a call of `host`'s method: `UserService.find(["1"])`.
 *
 * @throws TypeError where other arguments, or those of another class, would have the same key
 */
export function callKey(cache: Cache, host: object, method: string | symbol, args: readonly unknown[]): string {
  return `${classNameOf(cache, host)}.${String(method)}(${textOf(args)})`
}

function classNameOf(cache: Cache, host: object): string {
  const { constructor } = host
  let known = classes.get(cache)
  if (known === undefined) classes.set(cache, (known = new Map()))
  const { name } = constructor
  const other = known.get(name)
  if (other === undefined) known.set(name, constructor)
  else if (other !== constructor) {
    throw new TypeError(`@Cached() needs \`key\`: there are two classes with the name ${JSON.stringify(name)}`)
  }
  return name
}

/** JSON without trailing undefined arguments: a call that leaves them out asks for the same. */
function textOf(args: readonly unknown[]): string {
  const length = args.findLastIndex((arg) => arg !== undefined) + 1
  return JSON.stringify(args.slice(0, length), distinct)
}

/** Refuses values that JSON cannot tell apart: `undefined` and `null`, an instance of a class and its plain fields. */
function distinct(this: Record<string, unknown>, name: string): unknown {
  const value = this[name] // before any toJSON
  if (isJson(value)) return value
  throw wrongType('an argument of a method with @Cached() and without `key`', 'JSON', value)
}

function isJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object': {
      if (value === null || Array.isArray(value)) return true
      const prototype: unknown = Object.getPrototypeOf(value)
      return prototype === null || prototype === Object.prototype
    }
    default:
      return false
  }
}
