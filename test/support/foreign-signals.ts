import { createContext, runInContext } from 'node:vm'

/** An `AbortController` that is none of this realm's, or older than the standard. */
export interface ForeignController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
  /** Listeners that are registered now. */
  readonly listeners: number
}

type Listener = () => void

/** As the first polyfills were: no reason, no `throwIfAborted`, and the third argument of a listener is `capture`. */
class OldSignal {
  aborted = false
  readonly listeners: { listener: Listener; capture: boolean }[] = []

  addEventListener(_type: string, listener: Listener, capture: unknown = false): void {
    this.listeners.push({ listener, capture: Boolean(capture) })
  }

  removeEventListener(_type: string, listener: Listener, capture: unknown = false): void {
    const place = this.listeners.findIndex((each) => each.listener === listener && each.capture === Boolean(capture))
    if (place !== -1) this.listeners.splice(place, 1)
  }
}

export function oldPolyfill(): ForeignController {
  const signal = new OldSignal()
  return {
    signal: signal as unknown as AbortSignal,
    get listeners() {
      return signal.listeners.length
    },
    abort() {
      signal.aborted = true
      for (const { listener } of [...signal.listeners]) listener()
    },
  }
}

/** As jest and jsdom have it: a class of another realm, with the reason that the standard asks for. */
export function otherRealm(): ForeignController {
  const context = createContext({ EventTarget, Event })
  const source = `
    let listeners = 0
    class AbortSignal extends EventTarget {
      aborted = false
      reason = undefined
      addEventListener(...args) { listeners++; super.addEventListener(...args) }
      removeEventListener(...args) { listeners--; super.removeEventListener(...args) }
    }
    const signal = new AbortSignal()
    const abort = (reason) => {
      signal.aborted = true
      signal.reason = reason
      signal.dispatchEvent(new Event('abort'))
    }
    ;({ signal, abort, get listeners() { return listeners } })`
  return runInContext(source, context) as ForeignController
}

export const FOREIGN_CONTROLLERS: [what: string, create: () => ForeignController][] = [
  ['an old polyfill', oldPolyfill],
  ['another realm', otherRealm],
]
