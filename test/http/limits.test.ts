import { execFile } from 'node:child_process'
import type { IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { describe, expect, test } from 'vitest'

import { ask, open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { serve } from './support/serve.ts'

describe('bounded', () => {
  test('variants of one URL', async () => {
    const { url, cache } = await serve(
      (req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        res.setHeader('Vary', 'X-Kind')
        res.end(req.headers['x-kind'])
      },
      { maxVariants: 5 },
    )
    const kind = (index: number) => ({ headers: { 'X-Kind': `kind ${index}` } })
    for (let index = 0; index < 50; index++) await ask(url, kind(index))
    // One more is the index of the variants.
    expect(cache.stats().entries).toBeLessThanOrEqual(6)
    expect((await ask(url, kind(49))).headers['cache-status']).toContain('hit')
    expect((await ask(url, kind(0))).headers['cache-status']).toContain('fwd=vary-miss')
  })

  test('a Vary of too many fields is not stored', async () => {
    const { url } = await serve((_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('Vary', Array.from({ length: 100 }, (_, index) => `X-${index}`).join(', '))
      res.end('page')
    })
    expect((await ask(url)).headers['cache-status']).toContain('detail=vary')
  })

  test('entries, however many URLs are asked for', async () => {
    const { url, cache } = await serve(
      (_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        res.end('page')
      },
      { cacheOptions: { memory: { maxEntries: 10 } } },
    )
    for (let index = 0; index < 100; index++) await ask(`${url}/?${index}`)
    expect(cache.stats().entries).toBeLessThanOrEqual(10)
  })

  test('waiters for one handler run: more than maxWaiters run their own', async () => {
    let runs = 0
    const first = new Gate()
    const { url } = await serve(
      async (_req, res) => {
        if (++runs === 1) await first.pass()
        res.setHeader('Cache-Control', 'max-age=60')
        res.end(`run ${runs}`)
      },
      { maxWaiters: 10 },
    )
    const leader = open(url)
    await first.reached
    const answers: IncomingMessage[] = []
    for (let index = 0; index < 30; index++) void open(url).response.then((response) => answers.push(response))
    await expect.poll(() => answers.length).toBe(20)
    expect(answers[0]?.headers['cache-status']).toContain('detail=crowded')
    first.open()
    expect((await readAll(await leader.response)).complete).toBe(true)
    expect(runs).toBe(21)
  })

  test('time: a thousand requests for a handler that never answers come to run their own', async () => {
    let runs = 0
    const { url } = await serve(() => runs++, { cacheOptions: { loadTimeout: 200 } })
    const opened = Array.from({ length: 1000 }, () => open(url))
    // Two are tried for all, each for loadTimeout; then nobody is kept from what it would have without us.
    await expect.poll(() => runs, { timeout: 10_000 }).toBe(1000)
    for (const { leave } of opened) leave()
  })

  test('memory: two clients of a body far above maxBodyBytes, one handler run', { timeout: 120_000 }, async () => {
    const script = fileURLToPath(new URL('support/large-body.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, '1024'])
    const { grownMiB } = JSON.parse(stdout) as { grownMiB: number }
    expect(grownMiB).toBeLessThan(64)
  })
})
