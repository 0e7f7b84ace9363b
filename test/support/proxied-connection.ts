import { type Socket, connect } from 'node:net'
import { delayedWriter } from './delayed-writer.ts'
import { parseReply } from './resp-parser.ts'

/** What happens to the replies of the commands it matches; when none is left, the connection is reset. */
export interface ReplyFault {
  matches: (words: readonly string[]) => boolean
  remaining: number
  /** How many bytes of each reply get through. */
  pass: number
  /** After the last of them the connection is not reset, but holds what follows. */
  hold?: boolean
  done: () => void
}

export interface ProxiedConnection {
  /** The commands that this connection carried, in order. */
  readonly commands: readonly (readonly string[])[]
  pause(): void
  resume(): void
  /** Commands pass and are carried out; their replies wait for `resume`. */
  holdReplies(): void
  /** RST to the client, and an end to the connection with Redis. */
  reset(): void
  readonly closed: Promise<unknown>
}

interface Rules {
  delay: () => number
  /** Armed faults of the whole proxy, oldest first; one that is used up is removed. */
  faults: ReplyFault[]
  onCommand: (words: readonly string[]) => void
  onClose: () => void
}

const SUBSCRIPTION = /^[PS]?(UN)?SUBSCRIBE$/

/** Carries one client's connection to Redis and back, reply by reply. */
export function proxyConnection(
  client: Socket,
  target: { host: string; port: number },
  { delay, faults, onCommand, onClose }: Rules,
): ProxiedConnection {
  const redis = connect({ ...target, noDelay: true })
  const toRedis = delayedWriter(redis, delay)
  const toClient = delayedWriter(client, delay)
  const commands: (readonly string[])[] = []
  const unanswered: (readonly string[])[] = []
  let subscribed = false
  /** Once a reply is lost, and until the reset: what followed would be taken for the answer to another command. */
  let isCut = false

  const reset = (): void => {
    client.resetAndDestroy()
    client.destroy() // it would wait for writes to end, which a frozen reader never lets happen
    redis.destroy()
  }

  const takeCommand = frames((_, value) => {
    const words = Array.isArray(value) ? value.map(String) : [String(value)]
    commands.push(words)
    onCommand(words)
    if (SUBSCRIPTION.test(words[0]?.toUpperCase() ?? '')) subscribed = true
    else unanswered.push(words)
  })

  const takeReply = frames((bytes, value, push) => {
    // Answers to (UN)SUBSCRIBE and messages come in any number: they belong to no command.
    const message =
      push || (subscribed && Array.isArray(value) && /^[ps]?(un)?(subscribe|message)$/.test(String(value[0])))
    const words = message ? undefined : unanswered.shift()
    const fault = words && faults.find(({ matches }) => matches(words))
    if (!fault) return isCut ? undefined : toClient.write(bytes)

    fault.remaining--
    const last = fault.remaining === 0
    if (last) faults.splice(faults.indexOf(fault), 1)
    if (last && fault.hold) {
      toClient.write(bytes, fault.done)
      return toClient.pause()
    }
    const passing = isCut ? bytes.subarray(0, 0) : bytes.subarray(0, fault.pass)
    isCut ||= last || passing.length < bytes.length
    toClient.write(passing, () => {
      if (!last) return
      reset()
      fault.done()
    })
  })

  client.on('data', (chunk) => {
    takeCommand(chunk)
    toRedis.write(chunk)
  })
  redis.on('data', takeReply)
  client.on('end', () => toRedis.end())
  redis.on('end', () => toClient.end())
  client.on('error', () => redis.destroy())
  redis.on('error', () => client.resetAndDestroy())
  // An error is an end as well: an RST to a peer that has gone fails, and no `close` follows.
  const ends = [client, redis].map(
    (socket) =>
      new Promise<void>((resolve) => {
        socket.once('close', () => resolve())
        socket.once('error', () => resolve())
      }),
  )
  const closed = Promise.all(ends).finally(onClose)

  return {
    commands,
    closed,
    reset,
    holdReplies: () => toClient.pause(),
    pause() {
      for (const part of [client, redis, toRedis, toClient]) part.pause()
    },
    resume() {
      for (const part of [toRedis, toClient, client, redis]) part.resume()
    },
  }
}

type Frame = (bytes: Buffer, value: unknown, push: boolean) => void

/** Cuts a stream into whole commands or replies, whatever the pieces that it arrives in. */
function frames(take: Frame): (chunk: Buffer) => void {
  let input: Buffer = Buffer.alloc(0)
  return (chunk) => {
    input = Buffer.concat([input, chunk])
    for (let frame = parseReply(input); frame; frame = parseReply(input)) {
      const bytes = input.subarray(0, frame.end)
      input = input.subarray(frame.end)
      take(bytes, frame.value, frame.push)
    }
  }
}
