import { afterEach, expect, test } from 'vitest'

import { ask } from '../http/support/client.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { startWorkers, stopWorkers, type Worker } from '../support/workers.ts'

const PROCESSES = 2
const CLIENTS = 20

let workers: Worker[] = []
afterEach(() => stopWorkers(workers))

const FRAMEWORKS = [
  'express 4',
  'express 5',
  'connect',
  'http',
  'fetch',
  'hono',
  'koa',
  'fastify',
  'nest on express',
  'nest on fastify',
  'h3',
]

test.each(FRAMEWORKS)('%s: 20 clients of each of 2 processes make one run', async (framework) => {
  const prefix = uniquePrefix('http-herd')
  workers = await startWorkers('http-herd', PROCESSES, [sharedRedis().url, prefix, framework])
  const ports = await Promise.all(workers.map(async (worker) => Number((await worker.next('listening'))['port'])))
  const asked = ports.flatMap((port) =>
    Array.from({ length: CLIENTS }, () => ask(`http://127.0.0.1:${port}/page`, { headers: { Host: 'shop.example' } })),
  )
  const bodies = (await Promise.all(asked)).map(({ status, body }) => `${status} ${body}`)
  expect(bodies.length).toBe(PROCESSES * CLIENTS)
  expect(new Set(bodies)).toEqual(new Set(['200 run 1']))
})
