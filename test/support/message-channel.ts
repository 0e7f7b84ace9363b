import type { ChildProcess } from 'node:child_process'

/** What parent and worker tell each other: JSON with a type. */
export interface Message {
  type: string
  [field: string]: unknown
}

export interface Channel {
  /** Nothing happens when the other end has gone: that is for `next` to tell. */
  send(message: Message): void
  /** The next message of that type, in order of arrival; one that came before it was asked for counts. */
  next(type: string): Promise<Message>
}

type Peer = Pick<ChildProcess, 'send' | 'on'> | NodeJS.Process

interface Waiter {
  resolve(message: Message): void
  reject(error: Error): void
}

/** Messages over the IPC of a child process, seen from either end. */
export function channelTo(peer: Peer, name: string): Channel {
  const unread: Message[] = []
  const waiters = new Map<string, Waiter[]>()
  let gone: Error | undefined

  peer.on('message', (raw: unknown) => {
    const message = raw as Message
    const waiter = waiters.get(message.type)?.shift()
    if (waiter) waiter.resolve(message)
    else unread.push(message)
  })
  peer.on('disconnect', () => {
    gone = new Error(`${name} has gone`)
    for (const waiter of [...waiters.values()].flat()) waiter.reject(gone)
    waiters.clear()
  })

  return {
    send: (message) => void peer.send?.(message, undefined, undefined, () => {}),
    next: (type) =>
      new Promise((resolve, reject) => {
        const index = unread.findIndex((message) => message.type === type)
        if (index !== -1) return resolve(unread.splice(index, 1)[0] as Message)
        if (gone) return reject(gone)
        waiters.set(type, [...(waiters.get(type) ?? []), { resolve, reject }])
      }),
  }
}
