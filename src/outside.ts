import { AsyncResource } from 'node:async_hooks'

/** Remembers the context in which this module is loaded: none, or that of a request that loads it late. */
const outside = new AsyncResource('herdlock')
forgetContext(outside)

/**
 * Runs `fn` in no caller's asynchronous context. Sockets, timers and promises remember the context in which they were
 * made, on Node 20 with all that AsyncLocalStorages hold there. What `fn` makes belongs to the process: it neither runs
 * in the context of the request that happened to be under way, nor keeps it alive.
 */
export function runOutside<T>(fn: () => T): T {
  return outside.runInAsyncScope(fn)
}

/** Node has no public way to a resource without a context. Where it keeps one under another name, the context stays. */
function forgetContext(resource: AsyncResource): void {
  for (const symbol of Object.getOwnPropertySymbols(resource)) {
    // One of each AsyncLocalStorage until Node 22; one of all of them since.
    if (symbol.description === 'kResourceStore' || symbol.description === 'context_frame') {
      Reflect.deleteProperty(resource, symbol)
    }
  }
}
