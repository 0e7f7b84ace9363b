import type { Socket } from 'node:net'

/** Writes to a socket after a delay, in order, and not while paused. */
export interface DelayedWriter {
  /** `written` runs when the bytes have been handed to the system. */
  write(bytes: Buffer, written?: () => void): void
  end(): void
  pause(): void
  resume(): void
}

interface Item {
  dueAt: number
  run: () => void
}

export function delayedWriter(socket: Socket, delay: () => number): DelayedWriter {
  const queue: Item[] = []
  let timer: NodeJS.Timeout | undefined
  let paused = false

  function pump(): void {
    clearTimeout(timer)
    while (!paused && queue[0] && queue[0].dueAt <= performance.now()) queue.shift()?.run()
    if (!paused && queue[0]) timer = setTimeout(pump, Math.ceil(queue[0].dueAt - performance.now()))
  }

  function later(run: () => void): void {
    queue.push({ dueAt: Math.max(queue.at(-1)?.dueAt ?? 0, performance.now() + delay()), run })
    pump()
  }

  socket.on('close', () => {
    clearTimeout(timer)
    queue.length = 0
  })

  return {
    write: (bytes, written) =>
      later(() => (socket.destroyed ? written?.() : void socket.write(bytes, () => written?.()))),
    end: () => later(() => socket.end()),
    pause() {
      paused = true
      clearTimeout(timer)
    },
    resume() {
      paused = false
      pump()
    },
  }
}
