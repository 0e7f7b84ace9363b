import { type IncomingMessage, Server, type ServerResponse } from 'node:http'

import compression from 'compression'
import timeout from 'connect-timeout'
import cookieSession from 'cookie-session'
import cors from 'cors'
import express, { type RequestHandler } from 'express'
import { rateLimit } from 'express-rate-limit'
import session from 'express-session'
import helmet from 'helmet'
import { createProxyMiddleware } from 'http-proxy-middleware'
import morgan from 'morgan'
import multer from 'multer'
import responseTime from 'response-time'

import { instrumentHttp } from './instrumented.ts'

/** Mounted before our middleware, or after it. */
export const PLACES = ['outside', 'inside'] as const
export type Place = (typeof PLACES)[number]

/** The handler sends its page at once, or in two parts. */
export const STYLES = ['sent', 'streamed'] as const
export type Style = (typeof STYLES)[number]

/** One run serves all clients; or only requests of the same client, as a variant of its own; or nobody else. */
export type Sharing = 'by all' | 'by client' | 'none'

/** What a layer may know of the app that it is in. */
interface Surroundings {
  place: Place
  /** Takes what the layer has noticed of a request. */
  note: (line: string) => void
}

export interface Neighbour {
  name: string
  /** Its layers in one app. */
  layers?: (surroundings: Surroundings) => RequestHandler[]
  /** Instead: it is a hop to another server. */
  hop?: (target: string) => RequestHandler
  /** Request fields of the client with this number. */
  headers?: (client: number) => Record<string, string>
  /** Clients sign in first, and send the cookie that they got. */
  signsIn?: boolean
  /** Who shares its answers by the rules of docs/http.md. By default all do. */
  sharing?: (place: Place, style: Style) => Sharing
  /** Takes out of a field's value what is of one request alone. */
  masked?: (name: string, value: string, place: Place) => string
  /** Fields that it sets when a response is sent at once, and cannot when that was streamed. */
  atEnd?: readonly string[]
  /** It notes one line for each request that it sees to the end. */
  notes?: boolean
}

/** Far longer than a test. */
const LONG = '60s'
const GZIP = { 'Accept-Encoding': 'gzip' }

export const NEIGHBOURS: readonly Neighbour[] = [
  { name: 'nobody', layers: () => [] },
  { name: 'connect-timeout', layers: () => [timeout(LONG)] },
  { name: 'compression', layers: () => [compression() as RequestHandler], headers: () => GZIP },
  {
    name: 'compression, an encoding for each client',
    layers: () => [compression() as RequestHandler],
    headers: (client) => ({ 'Accept-Encoding': ['identity', 'gzip', 'deflate'][client % 3] ?? '' }),
    // Inside, there is a variant for each encoding.
    sharing: (place) => (place === 'outside' ? 'by all' : 'by client'),
  },
  {
    name: 'express-session, new clients',
    layers: () => [session({ secret: 's', resave: false, saveUninitialized: true })],
    // An answer with Set-Cookie is never shared, whoever adds the field.
    sharing: () => 'none',
  },
  {
    name: 'express-session, known clients',
    layers: () => [session({ secret: 's', resave: false, saveUninitialized: false })],
    signsIn: true,
  },
  {
    name: 'cookie-session, new clients',
    layers: () => [cookieSession({ secret: 's' }), visited],
    sharing: () => 'none',
  },
  {
    name: 'cookie-session, known clients',
    layers: () => [cookieSession({ secret: 's' }), visited],
    signsIn: true,
  },
  { name: 'helmet', layers: () => [helmet()] },
  {
    name: 'morgan',
    layers: ({ note }) => [
      morgan(':method :url :status :res[content-type] :res[x-handler]', {
        stream: { write: (line) => note(line.trim()) },
        skip: ({ method }) => method === 'POST',
      }),
    ],
    notes: true,
  },
  { name: 'cors', layers: () => [cors({ origin: true, credentials: true })], headers: () => from('a') },
  {
    name: 'cors, an origin for each client',
    layers: () => [cors({ origin: true })],
    headers: (client) => from(`client${client}`),
    // The rules read the whole header: Vary: Origin makes a variant for each, whoever adds it.
    sharing: () => 'by client',
  },
  {
    name: 'express-rate-limit',
    // Its older fields come with a Date of its own, by another clock than the one that the test sets forward.
    layers: () => [rateLimit({ limit: 1000, standardHeaders: 'draft-7', legacyHeaders: false })],
    masked: (name, value, place) => {
      if (name !== 'ratelimit') return value
      // When the window ends is the clock's business.
      const timeless = value.replace(/reset=\d+/, 'reset=<time>')
      // Outside, each request counts once. Inside, a stored answer carries the count of the run that made it.
      return place === 'outside' ? timeless : timeless.replace(/remaining=\d+/, 'remaining=<count>')
    },
  },
  {
    name: 'response-time',
    layers: () => [responseTime() as RequestHandler],
    masked: (name, value) => (name === 'x-response-time' ? value.replace(/^\d+\.\d{3}ms$/, '<ms>') : value),
  },
  { name: 'body parsers', layers: () => [express.json(), express.urlencoded({ extended: true })] },
  { name: 'multer', layers: () => [multer().any() as RequestHandler] },
  {
    name: 'http-proxy-middleware',
    hop: (target) => createProxyMiddleware({ target }),
  },
  {
    name: 'a layer that patches end',
    layers: () => [patchesEnd],
    // In a streamed answer, its cookie comes too late.
    sharing: (_place, style) => (style === 'streamed' ? 'by all' : 'none'),
    atEnd: ['x-at-end: yes', 'set-cookie: at-end=<0>; Path=/'],
  },
  { name: 'OpenTelemetry', layers: instrumented, notes: true },
]

function from(name: string): Record<string, string> {
  return { Origin: `http://${name}.example` }
}

const visited: RequestHandler = (req, _res, next) => {
  Object.assign((req as { session?: object }).session ?? {}, { visited: true })
  next()
}

const patchesEnd: RequestHandler = (_req, res, next) => {
  const { end } = res
  res.end = function (this: ServerResponse, ...args: unknown[]) {
    if (!res.headersSent) {
      res.setHeader('X-At-End', 'yes')
      res.appendHeader('Set-Cookie', 'at-end=yes; Path=/')
    }
    return Reflect.apply(end, this, args) as typeof res
  } as typeof res.end
  next()
}

/** A server within the app: a layer where the instrumentation begins its span, at whatever place. */
function instrumented({ note }: Surroundings): RequestHandler[] {
  const entered = new WeakSet<IncomingMessage>()
  instrumentHttp((req) => entered.has(req) && req.method === 'GET', note)
  return [
    (req, res, next) => {
      entered.add(req)
      const server = new Server((_req, _res) => next())
      server.emit('request', req, res)
    },
  ]
}
