import { IncomingMessage, ServerResponse } from 'node:http'

import type { Baseline } from '../rules/fields.ts'
import type { Connection } from './connection.ts'
import { StandInSocket } from './stand-in-socket.ts'

/**
 * Prepares a sent and closed response for another answer, without a client. It gets every member of a new Node response,
 * state and functions. Nothing is left of its past, or of the patches of layers that are done with it. Call this after the
 * real `close`: before, it would disturb Node's own work at the end of a response.
 */
export function renew(req: IncomingMessage, res: ServerResponse, baseline: Baseline, connection: Connection): void {
  for (const [name, member] of membersOf(new ServerResponse(req))) Object.defineProperty(res, name, member)
  prepare(req, res, baseline, connection)
  renewRequest(req)
}

/** The members that hold listeners. */
const OF_EMITTERS = new Set<string | symbol>(['_events', '_eventsCount', '_maxListeners'])

/**
 * Gives a response whose stream has gone the members of a response without a stream, in the middle of its handler's work.
 * Status, fields, listeners and the functions that layers have put on it stay. What is written from now on goes nowhere.
 * For HTTP/2, where a response cannot get another stream.
 */
export function takeOver(
  req: IncomingMessage,
  res: ServerResponse,
  headSent: boolean,
  connection: Connection,
): StandInSocket {
  const { statusCode } = res
  const fields = (Object.entries(res.getHeaders()) as Array<[string, string | string[]]>).filter(
    ([name]) => !name.startsWith(':'), // HTTP/2 has the status among them once it is sent
  )
  for (const [name, member] of membersOf(new ServerResponse(req))) {
    if (!isPatched(res, name) && !OF_EMITTERS.has(name)) Object.defineProperty(res, name, member)
  }
  const socket = prepare(req, res, fields, connection)
  res.statusCode = statusCode
  if (headSent) ServerResponse.prototype.writeHead.call(res, statusCode)
  return socket
}

function isPatched(res: ServerResponse, name: string | symbol): boolean {
  const own = Object.getOwnPropertyDescriptor(res, name)
  return own !== undefined && (own.get !== undefined || typeof own.value === 'function')
}

/** All members of a response and its prototypes, so that they can be defined on another object. The most derived win. */
function membersOf(fresh: ServerResponse): Map<string | symbol, PropertyDescriptor> {
  const members = new Map<string | symbol, PropertyDescriptor>()
  for (let from: object = fresh; from !== Object.prototype; from = Object.getPrototypeOf(from)) {
    for (const name of Reflect.ownKeys(from)) {
      const member = Object.getOwnPropertyDescriptor(from, name)
      if (name === 'constructor' || member === undefined || members.has(name)) continue
      members.set(name, { ...member, configurable: true })
    }
  }
  return members
}

/**
 * A new response for a handler that can be called directly. It is of the same kind as `like`, has what the framework has
 * added to that, and is sent to nobody.
 */
export function detached(
  req: IncomingMessage,
  like: ServerResponse,
  baseline: Baseline,
  connection: Connection,
): ServerResponse {
  const res = new ServerResponse(req)
  if (like instanceof ServerResponse) {
    Object.setPrototypeOf(res, Object.getPrototypeOf(like))
    for (const [name, value] of Object.entries(like)) {
      if (!(name in res) && typeof value !== 'function') (res as unknown as Record<string, unknown>)[name] = value
    }
  }
  prepare(req, res, baseline, connection)
  renewRequest(req)
  // Frameworks let handlers go from the request to its response.
  if ('res' in req) Object.defineProperty(req, 'res', { configurable: true, writable: true, value: res })
  return res
}

function prepare(req: IncomingMessage, res: ServerResponse, baseline: Baseline, connection: Connection): StandInSocket {
  for (const [name, value] of baseline) res.setHeader(name, value)
  const socket = new StandInSocket(connection)
  // A handler that destroys its connection must not hit the next request of the same client on it.
  // Defined, not assigned: on HTTP/2 both are accessors that cannot be set.
  Object.defineProperty(req, 'socket', { configurable: true, writable: true, value: socket })
  Object.defineProperty(req, 'aborted', { configurable: true, writable: true, value: false })
  res.once('finish', () => {
    res.detachSocket(socket as unknown as IncomingMessage['socket'])
    process.nextTick(() => {
      res.emit('close')
      socket.destroy()
    })
  })
  res.assignSocket(socket as unknown as IncomingMessage['socket'])
  return socket
}

/** State of a stream that is renewed, so that its end can be read once more. It has no bytes. */
const OF_BODY = ['_readableState', '_events', '_eventsCount', 'errored'] as const
/** State of Node's requests: whether the body was consumed, or dropped unread. */
const OF_REQUEST = ['_dumped', '_consumed', '_closed'] as const

/** Lets a handler await the end of the request's body once more. Earlier listeners have already seen it. */
function renewRequest(req: IncomingMessage): void {
  const isNodes = req.httpVersionMajor === 2 || req instanceof IncomingMessage
  const fresh = new IncomingMessage(req.socket)
  for (const name of isNodes ? [...OF_BODY, ...OF_REQUEST] : OF_BODY) {
    const member = Object.getOwnPropertyDescriptor(fresh, name)
    if (member !== undefined) Object.defineProperty(req, name, { ...member, configurable: true })
  }
  // Requests of test libraries end once more by themselves.
  if (isNodes) req.push(null)
}
