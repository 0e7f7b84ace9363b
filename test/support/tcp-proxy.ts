import { once } from 'node:events'
import { type Socket, createServer } from 'node:net'
import { freePort } from './free-port.ts'
import { type ProxiedConnection, proxyConnection, type ReplyFault } from './proxied-connection.ts'

export type { ProxiedConnection } from './proxied-connection.ts'

/** Which command's reply a fault is for. Default: that of any. */
export type CommandFilter = (words: readonly string[]) => boolean

/** Stands between a client and a Redis, and does to the traffic what networks do. */
export interface TcpProxy {
  readonly host: string
  readonly port: number
  /** The open connections, oldest first. One may be paused or reset alone. */
  connections(): readonly ProxiedConnection[]
  /** Every command that was sent through, in order. */
  commands(): readonly (readonly string[])[]
  /** Holds everything back for `ms`, each way. */
  delay(ms: number): void
  /** A black hole: nothing passes, nothing is lost, nothing is closed; for new connections as well. */
  pause(): void
  /** On every open connection commands pass and are carried out; their replies wait for `resume`. */
  holdReplies(): void
  /** Lets what was held back pass, and everything after it. */
  resume(): void
  /** Closes the port: new connections get ECONNREFUSED, open ones stay. */
  refuse(): Promise<void>
  /** Opens the port again. */
  accept(): Promise<void>
  /** RST on every open connection. */
  reset(): void
  /** Swallows the next `count` replies, then RST: Redis has run the commands, the client never learns. Resolves at the RST. */
  loseReplies(count?: number, filter?: CommandFilter): Promise<void>
  /** Lets the next `count` replies pass, then RST. Resolves at the RST. */
  resetAfterReplies(count?: number, filter?: CommandFilter): Promise<void>
  /** Lets the next `count` replies pass, and holds what follows on that connection until `resume`. Resolves at the last. */
  holdAfterReplies(count?: number, filter?: CommandFilter): Promise<void>
  /** Lets only the first `bytes` bytes of the next reply pass, then RST. Resolves at the RST. */
  truncateReply(bytes: number, filter?: CommandFilter): Promise<void>
  /** Ends every connection and the port. */
  close(): Promise<void>
}

/** Opens a port of loopback that leads to `target`, a plain (not TLS) Redis. */
export async function startProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const host = '127.0.0.1'
  const port = await freePort()
  const open = new Set<ProxiedConnection>()
  const commands: (readonly string[])[] = []
  const faults: ReplyFault[] = []
  const state = { delay: 0, paused: false }

  const server = createServer({ noDelay: true }, (client: Socket) => {
    const connection = proxyConnection(client, target, {
      delay: () => state.delay,
      faults,
      onCommand: (words) => void commands.push(words),
      onClose: () => void open.delete(connection),
    })
    open.add(connection)
    if (state.paused) connection.pause()
  })

  async function accept(): Promise<void> {
    server.listen(port, host)
    await once(server, 'listening')
  }

  async function refuse(): Promise<void> {
    // The callback of close() waits for open connections; the port itself is closed at once.
    server.close()
  }

  function arm(fault: Omit<ReplyFault, 'done' | 'matches'>, filter: CommandFilter = () => true): Promise<void> {
    return new Promise((done) => void faults.push({ ...fault, matches: filter, done }))
  }

  await accept()
  return {
    host,
    port,
    connections: () => [...open],
    commands: () => commands,
    delay: (ms) => void (state.delay = ms),
    pause() {
      state.paused = true
      for (const connection of open) connection.pause()
    },
    holdReplies: () => open.forEach((connection) => connection.holdReplies()),
    resume() {
      state.paused = false
      for (const connection of open) connection.resume()
    },
    refuse,
    accept,
    reset: () => open.forEach((connection) => connection.reset()),
    loseReplies: (count = 1, filter) => arm({ remaining: count, pass: 0 }, filter),
    resetAfterReplies: (count = 1, filter) => arm({ remaining: count, pass: Infinity }, filter),
    holdAfterReplies: (count = 1, filter) => arm({ remaining: count, pass: Infinity, hold: true }, filter),
    truncateReply: (bytes, filter) => arm({ remaining: 1, pass: bytes }, filter),
    async close() {
      if (server.listening) server.close()
      const closed = [...open].map((connection) => connection.closed)
      for (const connection of open) connection.reset()
      await Promise.all(closed)
    },
  }
}
