import { AsyncResource } from 'node:async_hooks'

/** Remembers the context in which this module is loaded: none, or that of a request that loads it late. */
const outside = new AsyncResource('herdlock')
forgetContext(outside)

/**
 * Runs `fn` outside any caller's asynchronous context. Sockets, timers and promises remember the context in which they
 * were created, on Node 20 with everything that AsyncLocalStorages hold there. What `fn` creates belongs to the process:
 * it neither runs in the context of the current request, nor keeps that context alive.
 */
export function runOutside<T>(fn: () => T): T {
  return outside.runInAsyncScope(fn)
}

/** Node has no public way to clear the context of a resource. If it keeps a context under another name, that context stays. */
function forgetContext(resource: AsyncResource): void {
  for (const symbol of Object.getOwnPropertySymbols(resource)) {
    // One for each AsyncLocalStorage until Node 22; one for all of them since.
    if (symbol.description === 'kResourceStore' || symbol.description === 'context_frame') {
      Reflect.deleteProperty(resource, symbol)
    }
  }
}
