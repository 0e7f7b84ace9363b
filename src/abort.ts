interface Hub {
  readonly callbacks: Set<() => void>
  readonly fire: () => void
}

/**
 * Whether `value` can be used as an `AbortSignal`. Its class does not matter, because polyfills, jsdom and other realms
 * have their own classes.
 */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Record<string, unknown>
  return (
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  )
}

/** Why `signal` was aborted. Older polyfills do not say; then it is the `AbortError` that Node itself would give. */
export function reasonOf(signal: AbortSignal): unknown {
  const reason: unknown = signal.reason
  return reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason
}

/** Throws the reason if `signal` is aborted. Older polyfills have no such method. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw reasonOf(signal)
}

/** A signal gets one listener, however many callers use it, because Node warns of a leak from eleven on. */
const hubs = new WeakMap<AbortSignal, Hub>()

/**
 * Calls `callback` once when `signal` aborts, unless the returned function is called before. The last caller to leave
 * removes the listener. `signal` must not be aborted yet.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const hub = hubs.get(signal) ?? openHub(signal)
  const call = (): void => callback() // a function of its own: the same callback may be registered twice
  hub.callbacks.add(call)
  return () => {
    hub.callbacks.delete(call)
    if (hub.callbacks.size === 0) closeHub(signal, hub)
  }
}

function openHub(signal: AbortSignal): Hub {
  const callbacks = new Set<() => void>()
  const hub: Hub = {
    callbacks,
    fire() {
      closeHub(signal, hub)
      const called = [...callbacks]
      callbacks.clear()
      for (const callback of called) callback()
    },
  }
  hubs.set(signal, hub)
  signal.addEventListener('abort', hub.fire) // without `once`, which some polyfills take for `capture`
  return hub
}

function closeHub(signal: AbortSignal, hub: Hub): void {
  signal.removeEventListener('abort', hub.fire)
  if (hubs.get(signal) === hub) hubs.delete(signal)
}
