import { IncomingMessage, ServerResponse } from 'node:http'

import type { Baseline } from '../rules/fields.ts'
import type { Connection } from './connection.ts'
import { StandInSocket } from './stand-in-socket.ts'

/**
 * Makes a response that has been sent and closed fit to be written once more, for nobody: every member of Node's
 * response is laid over it anew, state and functions, so that neither its past nor the patches of layers that are done
 * with it are left. To be called after the real `close`; before, Node would trip over it while finishing.
 */
export function renew(req: IncomingMessage, res: ServerResponse, baseline: Baseline, connection: Connection): void {
  for (const [name, member] of membersOf(new ServerResponse(req))) Object.defineProperty(res, name, member)
  prepare(req, res, baseline, connection)
  renewRequest(req)
}

/** What its listeners and their bookkeeping are kept in. */
const OF_EMITTERS = new Set<string | symbol>(['_events', '_eventsCount', '_maxListeners'])

/**
 * Gives a response whose stream has gone the members of one that has none, in the middle of its handler's work: status,
 * fields, listeners and whatever functions layers have put on it stay; what is written from now on goes nowhere. For
 * HTTP/2, whose responses cannot be given another stream.
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

/** All members of a response, its prototypes' too, as they can be laid over another object; the most derived ones. */
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
 * A response of its own for a handler that can be called directly: of the same kind as `like`, with what its framework
 * has hung on it, and sent to nobody.
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
  // A handler that destroys its connection must not meet the next request of the same client on it.
  // By definition, not assignment: on HTTP/2 both are accessors that cannot be set.
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

/** State of a stream by which its bytes, of which there are none, can be read once more. */
const OF_BODY = ['_readableState', '_events', '_eventsCount', 'errored'] as const
/** That of Node's requests: whether its body was consumed, or dropped unread. */
const OF_REQUEST = ['_dumped', '_consumed', '_closed'] as const

/** Lets a handler await the end of the request's body once more: those who were there before have had theirs. */
function renewRequest(req: IncomingMessage): void {
  const isNodes = req.httpVersionMajor === 2 || req instanceof IncomingMessage
  const fresh = new IncomingMessage(req.socket)
  for (const name of isNodes ? [...OF_BODY, ...OF_REQUEST] : OF_BODY) {
    const member = Object.getOwnPropertyDescriptor(fresh, name)
    if (member !== undefined) Object.defineProperty(req, name, { ...member, configurable: true })
  }
  // Those that test libraries make end once more by themselves.
  if (isNodes) req.push(null)
}
