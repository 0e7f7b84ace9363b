/**
 * Keeps what one caller does to a value from the next caller. Plain objects and arrays all the way down are frozen and
 * shared. Answers whether that was possible: anything else (Date, Map, Buffer, instances of classes) cannot be frozen.
 */
export function freezePlain(value: unknown): boolean {
  if (!isPlainTree(value, new Set())) return false
  freeze(value)
  return true
}

function isPlainTree(value: unknown, above: Set<object>): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false
  if (typeof value !== 'object' || value === null) return true
  if (above.has(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) return false
  above.add(value)
  for (const name of Reflect.ownKeys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, name)
    if (property === undefined || !('value' in property) || !isPlainTree(property.value, above)) return false
  }
  above.delete(value)
  return true
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  Object.freeze(value) // also what is frozen already: what is below it may not be
  for (const name of Reflect.ownKeys(value)) freeze((value as Record<PropertyKey, unknown>)[name])
}
