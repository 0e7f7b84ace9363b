import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { singleFlight } from '../../src/middleware/node/single-flight.ts'
import { ask } from './support/client.ts'
import { listen } from './support/serve.ts'

test('a namespace keeps responses apart, counts and clears them, and takes groups for its tags', async () => {
  const cache = createCache({ ttl: 60_000 })
  const pages = cache.namespace('pages')
  onTestFinished(() => cache.close())
  const flight = singleFlight({ cache: pages })
  let runs = 0
  const handler = flight.wrap((_req, res) => {
    res.setHeader('Cache-Control', 'max-age=60')
    res.setHeader('Cache-Groups', '"all"')
    res.end(String(++runs))
  })
  const { url } = await listen(createServer((req, res) => handler(req, res, () => {})))
  const bodies = async (): Promise<string[]> => [(await ask(url)).body, (await ask(url)).body]
  expect(await bodies()).toEqual(['1', '1'])
  expect(pages.stats()).toMatchObject({ hits: 1, misses: 1, entries: cache.stats().entries })
  await cache.invalidateTags('all')
  expect(await bodies()).toEqual(['1', '1'])
  await pages.invalidateTags('all')
  expect(await bodies()).toEqual(['2', '2'])
  await cache.namespace('others').clear()
  expect(await bodies()).toEqual(['2', '2'])
  await pages.clear()
  expect(await bodies()).toEqual(['3', '3'])
})
