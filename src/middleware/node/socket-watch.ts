import type { Socket } from 'node:net'

type Destroy = Socket['destroy']

/** Connections whose `destroy` is watched, and the listeners. */
const watched = new WeakMap<Socket, Set<() => void>>()

/**
 * Calls `onCut` when a handler destroys the connection, as Express does when an error comes after the header. Does not call
 * it when the client leaves. Returns the function that ends the watch.
 */
export function watchSocket(socket: Socket, onCut: () => void): () => void {
  let listeners = watched.get(socket)
  if (listeners === undefined) {
    listeners = new Set()
    watched.set(socket, listeners)
    patchDestroy(socket, listeners)
  }
  listeners.add(onCut)
  return () => listeners.delete(onCut)
}

/** Once for each connection, for its life: patches that go in another order than they came would pile up. */
function patchDestroy(socket: Socket, listeners: ReadonlySet<() => void>): void {
  const destroy = socket.destroy as Destroy | undefined
  if (destroy === undefined) return // a test library's
  socket.destroy = function patched(this: Socket, ...args: Parameters<Destroy>): ReturnType<Destroy> {
    if (!this.destroyed && !isTheClient(this, args[0])) for (const listener of [...listeners]) listener()
    return destroy.apply(this, args)
  }
}

/** Connections that were closed on purpose, for their clients alone. */
const dropped = new WeakSet<Socket>()

/** Closes a connection as if its client had left. */
export function dropSocket(socket: Socket): void {
  dropped.add(socket)
  socket.destroy()
}

/** Node destroys a socket itself after the client's FIN, or with the error of a system call after its RST. */
function isTheClient(socket: Socket, error: Error | undefined): boolean {
  return (
    dropped.has(socket) ||
    socket.readableEnded ||
    typeof (error as NodeJS.ErrnoException | undefined)?.syscall === 'string'
  )
}
