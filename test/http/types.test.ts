import connect from 'connect'
import express, { type Request, type Response } from 'express'
import express4, { type Request as Request4, type Response as Response4 } from 'express4'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'

import { singleFlight, type Handler, type Middleware, type SingleFlightOptions } from '../../src/express.ts'

// That this compiles is the test: no cast is needed to mount the middleware where it belongs.
test('the types fit Express 4 and 5, Connect and node:http', async () => {
  const options: SingleFlightOptions = { ttl: 1000, key: (req) => req.url }
  const flight: Middleware = singleFlight(options)
  express()
    .use(flight)
    .get(
      '/',
      flight.wrap((req: Request, res: Response) => res.send(req.path)),
    )
  express4()
    .use('/api', flight)
    .get(
      '/',
      flight.wrap((req: Request4, res: Response4, next) => (req.path === '/' ? res.json({}) : next())),
    )
  express().use(flight.wrap(express.Router()))
  connect().use(flight)
  const handler: Handler = (_req, res) => res.end()
  createServer((req, res) => flight(req, res, () => handler(req, res, () => {})))
  expect(flight.cache.stats().entries).toBe(0)
  await flight.close()
})
