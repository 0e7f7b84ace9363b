import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

import Koa from 'koa'

/** A context as Koa makes it, of a request that has come over no network. */
export function koaContext({ method = 'GET', url = '/page', headers = {} } = {}): Koa.Context {
  const req = new IncomingMessage(new Socket())
  Object.assign(req, { method, url, httpVersionMajor: 1, httpVersionMinor: 1 })
  Object.assign(req.headers, { host: 'a.example', ...headers })
  const res = new ServerResponse(req)
  res.statusCode = 404 // as Koa begins
  return new Koa().createContext(req, res)
}
