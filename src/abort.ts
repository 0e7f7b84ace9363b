interface Hub {
  readonly callbacks: Set<() => void>
  readonly fire: () => void
}

/** A signal gets one listener however many wait on it: from eleven on Node warns of a leak. */
const hubs = new WeakMap<AbortSignal, Hub>()

/**
 * Calls `callback` once when `signal` aborts, unless the returned function is called before. The last one to leave
 * removes the listener. `signal` must not be aborted already.
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
      for (const callback of [...callbacks]) callback()
    },
  }
  hubs.set(signal, hub)
  signal.addEventListener('abort', hub.fire, { once: true })
  return hub
}

function closeHub(signal: AbortSignal, hub: Hub): void {
  signal.removeEventListener('abort', hub.fire)
  if (hubs.get(signal) === hub) hubs.delete(signal)
}
