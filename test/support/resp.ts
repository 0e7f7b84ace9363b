import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { parseReply, RespError, type Reply } from './resp-parser.ts'

export { RespError, type Reply } from './resp-parser.ts'

export interface RespAddress {
  host: string
  port: number
  username?: string | undefined
  password?: string | undefined
}

/** Where a `redis://` URL leads. */
export function addressOf(url: string): RespAddress {
  const { protocol, hostname, port, username, password } = new URL(url)
  if (protocol !== 'redis:') throw new Error(`not a redis:// URL: ${protocol}//${hostname}`)
  return {
    host: hostname || '127.0.0.1',
    port: Number(port || 6379),
    username: username === '' ? undefined : decodeURIComponent(username),
    password: password === '' ? undefined : decodeURIComponent(password),
  }
}

/** The smallest possible Redis client, for playing a process in another language that shares a lock or a key with us. */
export interface RespClient {
  /** Sends one command and resolves with its reply; rejects with `RespError` when Redis answers an error. */
  command(...words: (string | number | Buffer)[]): Promise<Reply>
  /** The next reply that no `command` waits for: messages of a subscription. */
  next(): Promise<Reply>
  socket: Socket
  close(): void
}

/** Opens a connection and, if there is a password, authenticates. */
export async function connectResp({ host, port, username, password }: RespAddress): Promise<RespClient> {
  const socket = connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  const client = speak(socket)
  try {
    if (password !== undefined) await client.command('AUTH', ...(username === undefined ? [] : [username]), password)
  } catch (error) {
    client.close()
    throw error
  }
  return client
}

/** One command on a connection of its own. */
export async function askRedis(address: RespAddress, ...words: (string | number | Buffer)[]): Promise<Reply> {
  const client = await connectResp(address)
  try {
    return await client.command(...words)
  } finally {
    client.close()
  }
}

interface Waiter {
  resolve(reply: Reply): void
  reject(error: Error): void
}

function speak(socket: Socket): RespClient {
  const commands: Waiter[] = []
  const readers: Waiter[] = []
  const unread: Reply[] = []
  let input: Buffer = Buffer.alloc(0)
  let broken: Error | undefined

  function deliver(reply: Reply): void {
    const waiter = commands.shift() ?? readers.shift()
    if (!waiter) unread.push(reply)
    else if (reply instanceof RespError) waiter.reject(reply)
    else waiter.resolve(reply)
  }

  function fail(error: Error): void {
    broken ??= error
    for (const waiter of [...commands.splice(0), ...readers.splice(0)]) waiter.reject(broken)
  }

  socket.on('data', (chunk) => {
    input = Buffer.concat([input, chunk])
    for (let parsed = parseReply(input); parsed; parsed = parseReply(input)) {
      input = input.subarray(parsed.end)
      deliver(parsed.value)
    }
  })
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection to Redis was closed')))

  return {
    socket,
    command: (...words) =>
      new Promise((resolve, reject) => {
        if (broken) return reject(broken)
        commands.push({ resolve, reject })
        socket.write(encodeCommand(words))
      }),
    next: () =>
      new Promise((resolve, reject) => {
        const reply = unread.shift()
        if (reply !== undefined) resolve(reply)
        else if (broken) reject(broken)
        else readers.push({ resolve, reject })
      }),
    close: () => void socket.destroy(),
  }
}

function encodeCommand(words: readonly (string | number | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)]
  for (const word of words) {
    const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}
