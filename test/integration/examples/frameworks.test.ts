import { expect, test } from 'vitest'
import { runExample } from '../../support/run-example.ts'

test('fastify.ts queries once for a hundred requests, remembers what is missing, and anew after an invalidation', async () => {
  expect(await runExample('fastify.ts')).toEqual([
    '100 × /users/1: 200 {"id":"1","name":"Ada"} | queries: 1',
    '100 × /users/1: 200 {"id":"1","name":"Ada"} | queries: 0',
    '100 × /users/2: 404 {"error":"no such user"} | queries: 1',
    '100 × /users/1: 200 {"id":"1","name":"Ada"} | queries: 1',
  ])
})

test('fastify-responses.ts runs a slow handler once for a hundred requests, and the hook before the plugin for each', async () => {
  expect(await runExample('fastify-responses.ts')).toEqual([
    '100 × /report: {"rows":[1,2,3]} | 100 request ids | runs: 1',
    '100 × /report: {"rows":[1,2,3]} | 100 request ids | runs: 0',
    '100 × /rates: {"eur":1.08} | 100 request ids | runs: 1',
    '20 × /health: ok | 20 request ids | runs: 20',
    '100 × /report: {"rows":[1,2,3]} | 100 request ids | runs: 1',
  ])
})

test('hono.ts queries once for a hundred requests, and stops a query that nobody waits for', async () => {
  expect(await runExample('hono.ts')).toEqual([
    '100 requests, answers: ["a page about tea"] | queries: 1',
    'one of two leaves: rejected, fulfilled',
    'both leave: rejected, rejected',
    'the query that stopped: cocoa',
  ])
})

test('koa.ts runs a slow handler once for a hundred requests, and the layer outside for each', async () => {
  expect(await runExample('koa.ts')).toEqual([
    '100 × /report: 1 different answers, 100 request ids | runs: 1',
    '100 × /report: 1 different answers, 100 request ids | runs: 0',
    '20 × /account: 20 different answers, 20 request ids | runs: 20',
  ])
})

test('hono-app.ts runs a handler once for a hundred requests, each with its own id, and anew after a change', async () => {
  expect(await runExample('hono-app.ts')).toEqual([
    '100 requests: {"text":"Tea is a drink."} | ids: 100 | runs: 1',
    '100 requests: {"text":"Tea is a drink."} | ids: 100 | runs: 0',
    '100 requests: {"text":"Tea is a meal."} | ids: 100 | runs: 1',
  ])
})

test('nestjs.ts queries once, and runs a handler once, for a hundred requests, and ends with the app', async () => {
  const missing = '{"message":"no such user","error":"Not Found","statusCode":404}'
  expect(await runExample('nestjs.ts')).toEqual([
    '100 × /users/1: 200 {"id":"1","name":"Ada"} | queries: 1, runs: 0',
    '100 × /users/1: 200 {"id":"1","name":"Ada"} | queries: 1, runs: 0',
    `100 × /users/2: 404 ${missing} | queries: 2, runs: 0`,
    '100 × /users/1: 200 {"id":"1","name":"Ada"} | queries: 3, runs: 0',
    '100 × /report: 200 {"run":1} | queries: 3, runs: 1',
    '100 × /report: 200 {"run":1} | queries: 3, runs: 1',
  ])
})
