import { type IncomingMessage, ServerResponse } from 'node:http'

import { SinkSocket } from './sink-socket.ts'

export type Baseline = ReadonlyArray<readonly [name: string, value: string | string[]]>

/**
 * Makes a response that has been sent and closed fit to be written once more, for nobody: every member of Node's
 * response is laid over it anew, state and functions, so that neither its past nor the patches of layers that are done
 * with it are left. To be called after the real `close`; before, Node would trip over it while finishing.
 */
export function renew(req: IncomingMessage, res: ServerResponse, baseline: Baseline): void {
  const fresh = new ServerResponse(req)
  for (let proto: object = ServerResponse.prototype; proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
    for (const name of Reflect.ownKeys(proto)) {
      const member = Object.getOwnPropertyDescriptor(proto, name)
      // The most derived member comes first and stays.
      if (name === 'constructor' || member === undefined || isLaid(res, name, fresh, proto)) continue
      Object.defineProperty(res, name, { ...member, configurable: true })
    }
  }
  for (const name of Reflect.ownKeys(fresh)) {
    const member = Object.getOwnPropertyDescriptor(fresh, name)
    if (member !== undefined) Object.defineProperty(res, name, { ...member, configurable: true })
  }
  prepare(req, res, baseline)
}

/** A member of a more derived prototype hides the one at hand. */
function isLaid(res: ServerResponse, name: string | symbol, fresh: ServerResponse, proto: object): boolean {
  for (let derived: object = ServerResponse.prototype; derived !== proto; derived = Object.getPrototypeOf(derived)) {
    if (Object.hasOwn(derived, name) && Object.hasOwn(res, name)) return true
  }
  return Object.hasOwn(fresh, name)
}

/**
 * A response of its own for a handler that can be called directly: of the same kind as `like`, with what its framework
 * has hung on it, and sent to nobody.
 */
export function detached(req: IncomingMessage, like: ServerResponse, baseline: Baseline): ServerResponse {
  const res = new ServerResponse(req)
  if (like instanceof ServerResponse) {
    Object.setPrototypeOf(res, Object.getPrototypeOf(like))
    for (const [name, value] of Object.entries(like)) {
      if (!(name in res) && typeof value !== 'function') (res as unknown as Record<string, unknown>)[name] = value
    }
  }
  prepare(undefined, res, baseline, req)
  return res
}

function prepare(
  ownReq: IncomingMessage | undefined,
  res: ServerResponse,
  baseline: Baseline,
  peer: IncomingMessage | undefined = ownReq,
): void {
  for (const [name, value] of baseline) res.setHeader(name, value)
  const sink = new SinkSocket(peer?.socket ?? null)
  if (ownReq !== undefined) {
    // A handler that destroys its connection must not meet the next request of the same client on it.
    // By definition, not assignment: on HTTP/2 both are accessors that cannot be set.
    Object.defineProperty(ownReq, 'socket', { configurable: true, writable: true, value: sink })
    Object.defineProperty(ownReq, 'aborted', { configurable: true, writable: true, value: false })
  }
  res.once('finish', () => {
    res.detachSocket(sink as unknown as IncomingMessage['socket'])
    process.nextTick(() => {
      res.emit('close')
      sink.destroy()
    })
  })
  res.assignSocket(sink as unknown as IncomingMessage['socket'])
}
