import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import {
  createIncrementalCacheHandler,
  type IncrementalCacheHandler,
} from '../../src/next/incremental-cache-handler.ts'
import { createUseCacheHandler, type UseCacheEntry, type UseCacheHandler } from '../../src/next/use-cache-handler.ts'
import { eventually } from '../support/eventually.ts'
import { uniquePrefix } from '../support/shared-redis.ts'
import { cachesOn, hearEachOther, setups } from './cache-setups.ts'

const SETUPS = ['memory alone', 'memory and Redis (ioredis 6)', 'Redis alone', 'a Cluster, without memory']
const PAGE = '_N_T_/page'

/** As Next hands it over. */
function entry(text: string, more: Partial<UseCacheEntry> = {}): Promise<UseCacheEntry> {
  const timestamp = performance.timeOrigin + performance.now()
  const life = { tags: ['tag'], stale: 300, revalidate: 600, expire: 3600, timestamp }
  return Promise.resolve({ value: new Blob([text]).stream(), ...life, ...more })
}

async function textOf(found: UseCacheEntry | undefined): Promise<string | undefined> {
  return found && new Response(found.value).text()
}

async function folderOfBuild(id: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-next-'))
  await writeFile(join(folder, 'BUILD_ID'), `${id}\n`)
  return folder
}

/** The entries on which Next acts at once. */
const isStale = ({ timestamp, revalidate }: UseCacheEntry): boolean =>
  performance.timeOrigin + performance.now() > timestamp + revalidate * 1000

describe.each(setups.filter(({ name }) => SETUPS.includes(name)))('the handlers for Next on $name', (setup) => {
  const { cacheWith } = cachesOn(setup)

  /** The caches of two processes, or one's twice. */
  function pair(options = {}): [Cache, Cache] {
    const prefix = uniquePrefix('next')
    const one = cacheWith({ prefix, ...options })
    return [one, setup.options().redis === undefined ? one : cacheWith({ prefix, ...options })]
  }

  describe("'use cache'", () => {
    function handlers(options = {}): [UseCacheHandler, UseCacheHandler] {
      const make = (cache: Cache): UseCacheHandler => createUseCacheHandler({ cache, ...options })
      return pair().map(make) as [UseCacheHandler, UseCacheHandler]
    }

    test('one renders, the others wait for it', async () => {
      const [one, two] = handlers()
      expect(await one.get('key', [PAGE])).toBeUndefined()
      const waiting = [one, two, two].map((handler) => handler.get('key', [PAGE]))
      await one.set('key', entry('page', { stale: 1, expire: Infinity }))
      for (const found of await Promise.all(waiting)) {
        expect(found).toMatchObject({ tags: ['tag'], stale: 1, revalidate: 600, expire: Infinity })
        expect(isStale(found as UseCacheEntry)).toBe(false)
        expect(await textOf(found)).toBe('page')
      }
      expect(await textOf(await two.get('key', []))).toBe('page')
    })

    test('a stream in pieces comes back whole, to each reader its own', async () => {
      const [one] = handlers()
      await one.get('key', [])
      const pieces = [new Uint8Array([0, 255]), new Uint8Array(70_000).fill(7)]
      const value = new ReadableStream<Uint8Array>({
        pull(controller) {
          const piece = pieces.shift()
          if (piece === undefined) controller.close()
          else controller.enqueue(piece)
        },
      })
      await one.set('key', entry('', { value }))
      for (const found of [await one.get('key', []), await one.get('key', [])]) {
        const { value: bytes = new Uint8Array() } = (await found?.value.getReader().read()) ?? {}
        expect([bytes.length, bytes[1], bytes.at(-1)]).toEqual([70_002, 255, 7])
        structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] }) // takes its memory away
      }
    })

    test('a render that fails keeps nobody waiting, and nothing is stored', async () => {
      const caches = pair()
      await hearEachOther(caches)
      const [one, two] = caches.map((cache) => createUseCacheHandler({ cache })) as [UseCacheHandler, UseCacheHandler]
      await one.get('key', [])
      const waiting = [one, two].map((handler) => handler.get('key', []))
      await eventually('they wait', () => caches[0] === caches[1] || caches[1].stats().misses > 1)
      const broken = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error('render')) })
      await one.set('key', entry('', { value: broken }))
      expect(await Promise.all(waiting)).toEqual([undefined, undefined])
      expect(await one.get('key', [])).toBeUndefined()
      await one.set('key', Promise.reject(new Error('pending')))
      expect(await two.get('key', [])).toBeUndefined()
    })

    test('nobody waits longer than waitTimeout for another process, and loadTimeout for the same', async () => {
      const [one, two] = handlers({ waitTimeout: 30, loadTimeout: 30 })
      await one.get('key', [])
      expect(await two.get('key', [])).toBeUndefined()
      await one.set('key', entry('first'))
      await two.set('key', entry('second'))
      expect(await textOf(await two.get('key', []))).toMatch(/first|second/)
    })

    test('what is past its revalidate is served to the one who renders anew', async () => {
      const [one, two] = handlers()
      await one.get('key', [])
      const timestamp = performance.timeOrigin + performance.now() - 601_000
      await one.set('key', entry('old', { timestamp }))
      const stale = (await two.get('key', [])) as UseCacheEntry
      expect([isStale(stale), await textOf(stale)]).toEqual([true, 'old'])
      const waiting = one.get('key', [])
      await two.set('key', entry('new'))
      expect(await textOf(await waiting)).toBe('new')
    })

    test('what the cache says to be fresh Next finds fresh, too', async () => {
      const [one, two] = handlers()
      await one.get('key', [])
      const now = performance.timeOrigin + performance.now()
      await one.set('key', entry('page', { timestamp: now - 599_800 }))
      expect((await two.get('key', []))?.timestamp).toBeGreaterThan(now - 599_500)
    })

    test('updateTags reaches all: at once, or with a stale value that is served meanwhile', async () => {
      const [one, two] = handlers()
      await one.get('key', [])
      await one.set('key', entry('first'))
      await two.updateTags(['tag'], { expire: 3600 })
      const stale = (await two.get('key', [])) as UseCacheEntry
      expect([isStale(stale), await textOf(stale)]).toEqual([true, 'first'])
      await two.set('key', entry('second'))
      await eventually('it is there', async () => (await textOf(await one.get('key', []))) === 'second')
      for (const durations of [undefined, { expire: 0 }]) {
        await one.updateTags(['tag'], durations)
        expect(await one.get('key', [])).toBeUndefined()
        await one.set('key', entry('third'))
      }
    })

    test('a path that is revalidated is another one to those who ask for it, and to nobody else', async () => {
      const [one, two] = handlers()
      await one.get('key', ['_N_T_/a'])
      await one.set('key', entry('first'))
      await one.updateTags(['_N_T_/a'])
      expect(await one.get('key', ['_N_T_/layout', '_N_T_/a'])).toBeUndefined()
      await one.set('key', entry('second'))
      expect(await textOf(await one.get('key', ['_N_T_/a', '_N_T_/layout']))).toBe('second')
      await eventually(
        'the other has heard',
        async () => (await textOf(await two.get('key', ['_N_T_/a']))) === 'second',
      )
      expect(await textOf(await two.get('key', ['_N_T_/b']))).toBe('first')
    })

    test('what was rendered while its path was revalidated is not found after it', async () => {
      const [one] = handlers()
      await one.get('key', [PAGE])
      await one.updateTags([PAGE])
      await one.set('key', entry('before'))
      expect(await one.get('key', [PAGE])).toBeUndefined()
    })

    test('what must not be kept is not, and nobody waits for the next', async () => {
      const [one, two] = handlers()
      for (const more of [{ expire: 0 }, { tags: Array.from({ length: 101 }, (_, n) => `tag ${n}`) }]) {
        const key = JSON.stringify(more)
        await one.get(key, [])
        await one.set(key, entry('mine', more))
        expect([await one.get(key, []), await two.get(key, [])]).toEqual([undefined, undefined])
      }
    })

    test('what Next has rendered without asking is found', async () => {
      const [one, two] = handlers()
      await one.set('key', entry('forced'))
      expect(await textOf(await two.get('key', []))).toBe('forced')
      expect([await one.getExpiration(['tag']), await one.refreshTags()]).toEqual([Infinity, undefined])
    })
  })

  describe('pages and fetch', () => {
    const asked = { kind: 'FETCH', softTags: [PAGE] }
    const fetched = (body: string): { kind: string; data: object; revalidate: number; tags: string[] } => ({
      ...{ kind: 'FETCH', revalidate: 60, tags: ['tag'] },
      data: { headers: {}, body, status: 200, url: 'http://api.example/' },
    })
    const page = { kind: 'APP_PAGE' }
    const rendered = (html: string): { kind: string; headers: Record<string, string> } & object => ({
      ...{ kind: 'APP_PAGE', html, status: 200, postponed: undefined },
      ...{ rscData: Buffer.from('rsc'), segmentData: new Map([['/_tree', Buffer.from('tree')]]) },
      headers: { 'x-next-cache-tags': '_N_T_/layout,_N_T_/page,tag' },
    })

    function handlers(options = {}): [IncrementalCacheHandler, IncrementalCacheHandler] {
      const make = (cache: Cache): IncrementalCacheHandler => {
        const Handler = createIncrementalCacheHandler({ cache, ...options })
        return new Handler({})
      }
      return pair().map(make) as [IncrementalCacheHandler, IncrementalCacheHandler]
    }

    test('one fetches, the other process waits for it', async () => {
      const [one, two] = handlers()
      expect(await one.get('key', asked)).toBeNull()
      const waiting = setup.options().redis === undefined ? undefined : two.get('key', asked)
      await one.set('key', fetched('answer'), { fetchCache: true, tags: ['tag'] })
      expect((await waiting)?.value ?? fetched('answer')).toEqual(fetched('answer'))
      expect((await two.get('key', asked))?.value).toEqual(fetched('answer'))
    })

    test('a page comes back as it was, with its lifetime', async () => {
      const [one, two] = handlers()
      expect(await one.get('/page', page)).toBeNull()
      const cacheControl = { revalidate: 60, expire: 3600 }
      await one.set('/page', rendered('<p>'), { cacheControl })
      const found = await two.get('/page', page)
      expect(found).toMatchObject({ value: rendered('<p>'), cacheControl })
      expect(Math.abs((found?.lastModified ?? 0) - Date.now())).toBeLessThan(60_000)
    })

    test('what the cache says to be fresh Next finds fresh, too', async () => {
      const [one] = handlers()
      await one.get('key', asked)
      await one.set('key', { ...fetched('answer'), revalidate: 0.4 }, { fetchCache: true })
      expect((await one.get('key', asked))?.lastModified).toBeGreaterThan(Date.now() + 200)
    })

    test('pages belong to a build, what fetch has answered does not', async () => {
      const [cache] = pair()
      const Handler = createIncrementalCacheHandler({ cache })
      const folders = await Promise.all(['1', '2'].map((id) => folderOfBuild(id)))
      const [one, two] = folders.map((folder) => new Handler({ serverDistDir: join(folder, 'server') }))
      expect(await one?.get('/page', page)).toBeNull()
      await one?.set('/page', rendered('<p>'), { cacheControl: { revalidate: 60 } })
      await one?.get('key', asked)
      await one?.set('key', fetched('answer'), { fetchCache: true })
      expect(await two?.get('/page', page)).toBeNull()
      expect((await two?.get('key', asked))?.value).toEqual(fetched('answer'))
      await Promise.all(folders.map((folder) => rm(folder, { recursive: true })))
    })

    test.each(['tag', '_N_T_/page'])('revalidateTag(%o) reaches all that have it', async (tag) => {
      const [one, two] = handlers()
      await one.get('/page', page)
      await one.set('/page', rendered('first'), { cacheControl: { revalidate: false } })
      await one.get('key', asked)
      await one.set('key', fetched('first'), { fetchCache: true })
      await two.revalidateTag([tag, PAGE])
      expect([await two.get('/page', page), await two.get('key', asked)]).toEqual([null, null])
    })

    test('with durations the stale page is served to the one who renders anew', async () => {
      const [one] = handlers()
      await one.get('/page', page)
      await one.set('/page', rendered('first'), { cacheControl: { revalidate: 60, expire: 3600 } })
      await one.revalidateTag('tag', { expire: 3600 })
      const stale = await one.get('/page', page)
      expect(stale?.value).toMatchObject({ html: 'first' })
      expect(stale?.lastModified).toBeLessThan(Date.now() - 60_000)
    })

    test('where nothing is stored of what was made, nobody waits for the next', async () => {
      const [one, two] = handlers()
      await one.get('key', asked)
      const waiting = two.get('key', asked)
      expect([await one.get('key', asked), await waiting, await two.get('key', asked)]).toEqual([null, null, null])
    })
  })

  test('during a build they keep out of it', async () => {
    const [cache] = pair()
    const handler = createUseCacheHandler({ cache })
    process.env['NEXT_PHASE'] = 'phase-production-build'
    try {
      await handler.set('key', entry('built'))
      expect([await handler.get('key', []), await handler.get('key', [])]).toEqual([undefined, undefined])
    } finally {
      delete process.env['NEXT_PHASE']
    }
    expect(await handler.get('key', [])).toBeUndefined()
  })

  test('refuse what cannot be honoured', () => {
    const [cache] = pair()
    expect(() => createUseCacheHandler({ cache: {} as Cache })).toThrow('cache must be a cache of createCache')
    expect(() => createIncrementalCacheHandler({ cache, waitTimeout: 0 })).toThrow('waitTimeout must be')
    expect(() => createUseCacheHandler({ cache, loadTimeout: -1 })).toThrow('loadTimeout must be')
  })
})
