import { connect, type Socket } from 'node:net'
import { partOf } from '../../src/store/key-part.ts'
import { encode, RespStream } from './resp-stream.ts'

/**
 * A part of a fleet: many processes of an application, as Redis sees them, in one process. Each has a connection of its own
 * and reads whatever comes on it.
 */
export type FleetOrder =
  | { readonly do: 'open'; readonly ports: readonly number[]; readonly count: number; readonly first: number }
  /** Each member listens to its inbox, to these channels, and to `each` of the channels `prefix` + 0 … `of` - 1. */
  | { readonly do: 'subscribe'; readonly channels: readonly string[]; readonly held?: Held }
  /** Each member reads its keys, has Redis track them, and reads again what it is told of. */
  | { readonly do: 'track'; readonly held: Held }
  /** Each member sends this command once. */
  | { readonly do: 'send'; readonly words: readonly (string | number)[] }
  /** What was heard since the last time. */
  | { readonly do: 'heard' }

export interface Held {
  readonly prefix: string
  readonly each: number
  readonly of: number
  /** How herdlock's keys begin, if the channels are those of the parts of such keys. */
  readonly keys?: string
}

export interface Heard {
  readonly messages: number
  readonly bytes: number
  /** Values that were fetched by those who were told to look. */
  readonly looks: number
  /** Instant of the system's clock. */
  readonly lastAt: number
}

interface Member {
  readonly number: number
  readonly socket: Socket
  onReply: (() => void) | undefined
}

const NOTHING: Heard = { messages: 0, bytes: 0, looks: 0, lastAt: 0 }
/** Messages up to this length may tell to look. */
const SHORT = 300

const members: Member[] = []
let heard: { -readonly [Name in keyof Heard]: Heard[Name] } = { ...NOTHING }
/** By it members fetch values: a connection that has subscribed cannot. */
let reader: Socket | undefined

process.on('message', (order: FleetOrder) => {
  obey(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})

async function obey(order: FleetOrder): Promise<unknown> {
  switch (order.do) {
    case 'heard': {
      const answer = heard
      heard = { ...NOTHING }
      return answer
    }
    case 'open':
      for (let i = 0; i < order.count; i++) {
        const number = order.first + i
        members.push(await open(order.ports[number % order.ports.length] as number, number))
      }
      reader = await connected(order.ports[0] as number, () => heard.looks++)
      return undefined
    case 'subscribe':
      return inTurn((member) => {
        const channels = [`herdlock:inbox:${member.number}`, ...order.channels, ...namesOf(member, order.held)]
        return ask(member, channels.length, 'SUBSCRIBE', ...channels)
      })
    case 'track':
      return inTurn(async (member) => {
        await ask(member, 1, 'HELLO', 3)
        await ask(member, 1, 'CLIENT', 'TRACKING', 'ON')
        for (const key of namesOf(member, order.held)) await ask(member, 1, 'GET', key)
      })
    case 'send':
      return inTurn((member) => ask(member, 1, ...order.words))
  }
}

/** Spread evenly: each name is held by as many. */
function namesOf({ number }: Member, held: Held | undefined): string[] {
  if (held === undefined) return []
  const { prefix, each, of, keys } = held
  const places = Array.from({ length: each }, (_, i) => (number * each + i) % of)
  if (keys === undefined) return places.map((place) => prefix + place)
  return [...new Set(places.map((place) => prefix + partOf(keys + place)))]
}

async function inTurn(action: (member: Member) => Promise<void>): Promise<void> {
  for (let from = 0; from < members.length; from += 200) await Promise.all(members.slice(from, from + 200).map(action))
}

async function connected(port: number, onItem: (parts: readonly Buffer[]) => void): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const stream = new RespStream(onItem)
  socket.on('data', (chunk) => stream.feed(chunk))
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.on('error', reject)
  })
  return socket
}

async function open(port: number, number: number): Promise<Member> {
  const socket = await connected(port, (parts) => receive(member, parts))
  const member: Member = { number, socket, onReply: undefined }
  return member
}

function receive(member: Member, parts: readonly Buffer[]): void {
  const kind = parts[0]?.toString('latin1')
  if (kind !== 'message' && kind !== 'invalidate') return member.onReply?.()
  const message = parts.at(-1) as Buffer
  heard.messages++
  heard.bytes += message.length
  heard.lastAt = Date.now()
  if (kind === 'invalidate') member.socket.write(encode('GET', message))
  else if (message.length < SHORT) lookIfTold(message.toString('latin1'))
}

/** As `wakeWaiters` tells it: the topic, with its length before it, `a`, and the ms over which all look. */
function lookIfTold(message: string): void {
  const [head = '', length] = /^(\d+):/.exec(message) ?? []
  if (length === undefined) return
  const [, within] = /^a(\d*)$/.exec(message.slice(head.length + Number(length))) ?? []
  const key = message.slice(head.length, message.indexOf('}') + 1)
  if (within !== undefined) setTimeout(() => reader?.write(encode('GET', key)), Number(within) * Math.random())
}

function ask(member: Member, replies: number, ...words: readonly (string | number)[]): Promise<void> {
  return new Promise((resolve) => {
    let left = replies
    member.onReply = () => {
      if (--left > 0) return
      member.onReply = undefined
      resolve()
    }
    member.socket.write(encode(...words))
  })
}
