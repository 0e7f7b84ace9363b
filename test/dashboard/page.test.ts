import { once } from 'node:events'
import axe from 'axe-core'
import express from 'express'
import { Redis } from 'ioredis'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import request from 'supertest'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { singleFlight } from '../../src/middleware/node/single-flight.ts'
import { gatedLoad } from '../support/cache-lab.ts'
import { CHROMIUM_START, startChromium } from '../support/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis } from '../support/redis-server.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { elsewhere, joined } from './support/fleet.ts'
import { served, type Served } from './support/served.ts'
import { picturesAreWanted, takePicture } from './support/pictures.ts'

let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
}, CHROMIUM_START)
afterAll(() => browser?.close())

interface Shown extends Served {
  readonly tab: Page
  /** What the browser complained of: errors, violations of the policy, requests that left the origin. */
  readonly complaints: string[]
}

/** The page in a browser of its own; nothing that the browser complains of goes unnoticed. */
async function shown(options: Parameters<typeof served>[0] = {}, context: BrowserContextOptions = {}): Promise<Shown> {
  const made = await served({ refresh: 250, ...options })
  const own = await browser.newContext(context)
  onTestFinished(() => own.close())
  const tab = await own.newPage()
  const complaints: string[] = []
  tab.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  tab.on('pageerror', (error) => complaints.push(String(error)))
  tab.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  tab.on('request', (sent) => {
    if (!sent.url().startsWith(made.url)) complaints.push(`request: ${sent.url()}`)
  })
  await tab.goto(made.url)
  await tab.getByText('live', { exact: true }).waitFor()
  return { ...made, tab, complaints }
}

const AXE = "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"

const WAYS: readonly (readonly [string, Parameters<typeof served>[0]])[] = [
  ['reads only', {}],
  ['may invalidate', { allowInvalidate: true }],
]

describe('the page', () => {
  test('shows live what happens', async () => {
    const { tab, cache, complaints } = await shown()
    expect(await tab.locator('#tile-redis .figure').textContent()).toBeTruthy()
    const load = gatedLoad<number>()
    const waiting = Array.from({ length: 1000 }, () => cache.getOrRefill('report', load.loader))
    await tab.locator('#flights').getByText('report').waitFor()
    await expect.poll(() => tab.locator('#tile-flights').innerText()).toContain('1,000 calls wait')
    load.gate.resolve(1)
    await Promise.all(waiting)
    for (let i = 0; i < 1000; i++) await cache.getOrRefill('report', load.loader)
    await cache.getOrRefill('bad', () => Promise.reject(new Error('no origin'))).catch(() => {})
    await expect.poll(() => tab.locator('#tile-ratio .figure').textContent()).toMatch(/^\d\d(\.\d)? %$/)
    await tab.locator('#flights + .empty').waitFor({ state: 'visible' })
    await tab.locator('#hottest').getByText('report').waitFor()
    await tab.locator('#slowest').getByText('report').waitFor()
    await tab.locator('#failures').getByText('Error: no origin').waitFor()
    await expect.poll(() => tab.locator('#refills-chart svg').getAttribute('aria-label')).toContain('1 done, 1 failed')
    expect(await tab.locator('#refills-chart rect.load title').textContent()).toMatch(/^report: /)
    await tab.locator('#tile-redis').getByText('memory only').waitFor()
    expect(complaints).toEqual([])
  })

  test('comes back by itself when the server has been away, and shows another cache when told', async () => {
    const other = createCache({ ttl: 1000 })
    onTestFinished(() => other.close())
    const first = createCache({ ttl: 1000 })
    onTestFinished(() => first.close())
    const { tab, page } = await shown({ caches: { first, other } })
    await other.set('a', 1)
    await tab.getByLabel('Cache').selectOption('other')
    await expect.poll(() => tab.locator('#tile-memory .figure').innerText()).toContain('1')
    const greeted = tab.waitForResponse(/events$/)
    page.close()
    await greeted
    await tab.getByText('live', { exact: true }).waitFor()
    expect(await tab.getByLabel('Cache').inputValue()).toBe('other')
    await first.set('b', 1)
    await first.set('c', 1)
    await tab.getByLabel('Cache').selectOption('first')
    await expect.poll(() => tab.locator('#tile-memory .figure').innerText()).toContain('2')
  })

  test('says why HTTP responses were not shared', async () => {
    const { tab, cache, complaints } = await shown({}, { bypassCSP: true })
    const app = express().use(singleFlight({ cache }))
    app.get('/basket', (_request, response) => void response.cookie('a', '1').send('a'))
    const server = app.listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    await request(server).get('/basket')
    await request(server).get('/basket')
    const row = tab.locator('#unshared tbody tr')
    await expect.poll(() => row.innerText()).toMatch(/\/basket\s+set-cookie\s+The response sets a cookie\.\s+2\s/)
    await tab.evaluate(axe.source)
    const { violations } = await tab.evaluate<{ violations: { id: string }[] }>(AXE)
    expect(violations.map(({ id }) => id)).toEqual([])
    expect(complaints).toEqual([])
  })

  test('shows the span of time that is chosen, by pointer and by keys, and the hour that Redis remembers', async () => {
    const prefix = uniquePrefix('history')
    const redis = new Redis(sharedRedis().url)
    onTestFinished(() => redis.disconnect())
    const long = Math.floor(Date.now() / 10_000) - 80
    for (let step = long; step < long + 60; step++) {
      await redis.hset(`${prefix}:history::${step}`, { 0: 500, 1: 0, 2: 100, 3: 0, 4: 100, 5: 0 })
    }
    const { tab, cache, complaints } = await shown(
      { history: true, cacheOptions: { redis, prefix } },
      { bypassCSP: true },
    )
    await cache.set('a', 1)
    const label = async (): Promise<string> =>
      (await tab.locator('#answers-chart svg').getAttribute('aria-label')) ?? ''
    await expect.poll(label).toMatch(/over the last 15 minutes: .* 60 at most/)
    const chart = tab.locator('#answers-chart')
    await chart.focus()
    await tab.keyboard.press('+')
    await expect.poll(label).toMatch(/from \d\d:\d\d:\d\d to \d\d:\d\d:\d\d/)
    const near = await label()
    await tab.keyboard.press('ArrowLeft')
    await expect.poll(label).not.toBe(near)
    await tab.evaluate(axe.source)
    const { violations } = await tab.evaluate<{ violations: { id: string }[] }>(AXE)
    expect(violations.map(({ id }) => id)).toEqual([])
    await tab.keyboard.press('Escape')
    await expect.poll(label).toContain('over the last 15 minutes')
    const { x, y, width } = (await chart.boundingBox()) as { x: number; y: number; width: number }
    await tab.mouse.move(x + width / 2, y + 60)
    await tab.mouse.down()
    await tab.mouse.move(x + width / 2 + 100, y + 60)
    await chart.locator('.chosen').waitFor()
    await tab.mouse.up()
    await expect.poll(label).toContain('from')
    expect(await tab.locator('#ratio-chart svg').getAttribute('aria-label')).toContain('from')
    await tab.getByRole('button', { name: 'Back to now' }).press('Enter')
    await expect.poll(label).toContain('over the last 15 minutes')
    expect(await tab.evaluate('document.activeElement.id')).toBe('answers-chart')
    expect(complaints).toEqual([])
  })

  const HOSTILE = [
    '<img src=x onerror=alert(1)>',
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    '</title><svg/onload=alert(1)>',
    'javascript:alert(1)',
    '{{constructor.constructor("alert(1)")()}}',
    '\u202Eevil\u2066',
    'a\u0000b\nc\u001b[31m',
    'مفتاح:١',
    `${'long'.repeat(60)}<b>`,
    '__proto__',
  ]

  test.each(WAYS)('shows any key as the text that it is, where it %s', { timeout: 60_000 }, async (_how, options) => {
    const { tab, cache, complaints } = await shown(options, { viewport: { width: 360, height: 800 } })
    const load = gatedLoad<number>()
    const running = HOSTILE.map((key) => cache.getOrRefill(key, load.loader))
    await expect.poll(() => tab.locator('#flights tbody tr').count()).toBe(HOSTILE.length)
    for (const key of HOSTILE) {
      await cache.getOrRefill(`failing ${key}`, () => Promise.reject(new Error(key))).catch(() => {})
    }
    await expect.poll(() => tab.locator('#failures tbody tr').count()).toBe(HOSTILE.length)
    load.gate.resolve(1)
    await Promise.all(running)
    await expect.poll(() => tab.locator('#flights tbody tr').count()).toBe(0)
    for (const [i, key] of HOSTILE.entries()) {
      await tab.fill('#key', key)
      if (/[\n\0]/.test(key)) continue // an input holds no such key: it is looked up by a click below
      await tab.click('#lookup button')
      const title = i === 6 ? '\\u202eevil\\u2066' : key
      await expect.poll(() => tab.locator('#found h3 bdi').textContent()).toBe(title)
      await tab.locator('#found .tag', { hasText: 'fresh' }).waitFor()
    }
    // By its button even a key is found that cannot be typed.
    const untypable = tab.getByRole('button', { name: 'a\\u0000b\\u000ac\\u001b[31m', exact: true }).first()
    let asked = ''
    tab.on('request', (sent) => {
      if (/key\?/.test(sent.url())) asked = new URL(sent.url()).searchParams.get('key') ?? ''
    })
    const found = async (): Promise<string> => {
      await untypable.dispatchEvent('click') // the page may have taken it away meanwhile, and put another in its place
      return tab.locator('#found').innerText()
    }
    await expect.poll(found).toContain('a\\u0000b')
    expect(asked).toBe('a\0b\nc\u001b[31m')
    expect(await tab.locator('#main img, #main script, #main b:not(.legend b), #main svg[onload]').count()).toBe(0)
    const width = await tab.evaluate('document.documentElement.scrollWidth')
    expect(width).toBeLessThanOrEqual(360)
    expect(complaints).toEqual([])
  })

  test('lets no markup run even if it got into the page', async () => {
    const { tab } = await shown()
    const outcome = await tab.evaluate(`(() => {
      try { document.body.innerHTML = '<img src=x onerror=alert(1)>'; return 'taken' } catch (error) { return error.name }
    })()`)
    expect(outcome).toBe('TypeError') // by trusted types
  })

  test('invalidates a key and a tag where that is allowed', async () => {
    const { tab, cache, complaints } = await shown({ allowInvalidate: true })
    await cache.set('user:1', { name: 'Ada' }, { tags: ['users'] })
    await tab.getByRole('textbox', { name: 'Key' }).fill('user:1')
    await tab.getByRole('button', { name: 'Look up' }).click()
    await tab.locator('#found').getByText('users').waitFor()
    await tab.getByRole('button', { name: 'Invalidate this key' }).click()
    await tab.locator('#done').getByText('user:1 is invalidated').waitFor()
    await tab.locator('#found .tag', { hasText: 'absent' }).waitFor()
    expect(cache.peek('user:1')).toBeUndefined()
    await cache.set('user:2', 2, { tags: ['users'] })
    await tab.getByLabel('Invalidate all that has the tag').fill('users')
    await tab.getByRole('button', { name: 'Invalidate tag' }).click()
    await tab.locator('#done').getByText('has the tag users').waitFor()
    expect(cache.peek('user:2')).toBeUndefined()
    expect(complaints).toEqual([])
  })

  test('has nothing to invalidate with where that is not allowed', async () => {
    const { tab, cache } = await shown()
    await cache.set('user:1', 1)
    await tab.fill('#key', 'user:1')
    await tab.press('#key', 'Enter')
    await tab.locator('#found .tag', { hasText: 'fresh' }).waitFor()
    expect(await tab.getByRole('button', { name: /invalidate/i }).count()).toBe(0)
  })

  test('can be used by keyboard alone, and keeps the focus while figures change', async () => {
    const { tab, cache } = await shown({ allowInvalidate: true })
    const load = gatedLoad<number>()
    const value = cache.getOrRefill('slow', load.loader)
    await tab.locator('#flights').getByText('slow').waitFor()
    const focused = () => tab.evaluate<string>('document.activeElement.id || document.activeElement.textContent.trim()')
    const seen: string[] = []
    for (let i = 0; i < 12 && seen.at(-1) !== 'slow'; i++) {
      await tab.keyboard.press('Tab')
      seen.push(await focused())
    }
    expect(seen).toEqual([
      'Skip to the figures',
      'answers-chart',
      'ratio-chart',
      'key',
      'Look up',
      'tag',
      'Invalidate tag',
      'slow',
    ])
    const outline = 'getComputedStyle(document.activeElement).outlineStyle'
    expect(await tab.evaluate(outline)).toBe('solid')
    const age = tab.locator('#flights tbody td').nth(1)
    const before = await age.textContent()
    await expect.poll(() => age.textContent()).not.toBe(before)
    expect(await focused()).toBe('slow')
    await tab.keyboard.press('Enter')
    await tab.locator('#found').getByText('1 call waits').waitFor()
    load.gate.resolve(1)
    await value
  })

  test('does not move where motion is to be reduced', async () => {
    const { tab } = await shown({}, { reducedMotion: 'reduce' })
    expect(await tab.evaluate('document.getAnimations().length')).toBe(0)
    await tab.emulateMedia({ reducedMotion: 'no-preference' })
    expect(await tab.evaluate('document.getAnimations().length')).toBe(1)
  })

  test.each(['light', 'dark'] as const)('has no fault that axe finds, in %s', async (colorScheme) => {
    const { tab, cache } = await shown({ allowInvalidate: true }, { colorScheme, bypassCSP: true })
    const ground = await tab.evaluate<string>('getComputedStyle(document.body).backgroundColor')
    const [red = 0] = (/\d+/.exec(ground) ?? []).map(Number)
    expect(red < 128).toBe(colorScheme === 'dark')
    const load = gatedLoad<number>()
    const value = cache.getOrRefill('slow', load.loader)
    await cache.getOrRefill('bad', () => Promise.reject(new Error('no origin'))).catch(() => {})
    await tab.locator('#failures').getByText('no origin').waitFor()
    await tab.fill('#key', 'slow')
    await tab.press('#key', 'Enter')
    await tab.locator('#found h3').waitFor()
    await tab.evaluate(axe.source)
    const { violations } = await tab.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(AXE)
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
    load.gate.resolve(1)
    await value
  })

  test.each([360, 768, 1280, 1600])('fits a window of %i px', async (width) => {
    const { tab } = await shown({ allowInvalidate: true }, { viewport: { width, height: 900 } })
    expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
  })
})

describe('the page of a fleet', () => {
  test('shows all processes as one, each for itself, and who refilled what', { timeout: 60_000 }, async () => {
    const prefix = uniquePrefix('fleet')
    const redis = new Redis(sharedRedis().url)
    onTestFinished(() => redis.disconnect())
    const [one, two] = [elsewhere({ prefix, maxLoads: 4 }), elsewhere({ prefix, maxLoads: 4 })]
    joined(one, 'shop-1:7')
    joined(two, '<b>shop-2:8')
    const cacheOptions = { redis, prefix, maxLoads: 4 }
    const { tab, cache, complaints } = await shown({ allowInvalidate: true, cacheOptions }, { bypassCSP: true })
    await Promise.all([cache.set('a', 1), one.set('a', 1), two.set('b', 1)])
    await tab
      .getByRole('combobox', { name: 'Processes' })
      .locator('option', { hasText: 'all 3' })
      .waitFor({ state: 'attached' })
    const load = gatedLoad<number>()
    const slow = one.getOrRefill('slow', load.loader)
    await load.started
    for (let i = 0; i < 10; i++) for (const each of [cache, one, two]) await each.getOrRefill('a', () => 0)
    await two.getOrRefill('c', () => 1)
    await tab.locator('#flights').getByText('slow').waitFor()
    await expect.poll(() => tab.locator('#tile-slots').innerText()).toContain('1/4')
    await tab.locator('#leases').getByText('shop-1:7').waitFor()
    const chart = tab.locator('#refills-chart svg')
    await expect.poll(() => chart.getAttribute('aria-label')).toMatch(/by 3 processes: 1 done, 0 failed, 1 under way/)
    await expect.poll(() => chart.locator('rect.load title').textContent()).toMatch(/^c: .*, by <b>shop-2:8, /)
    expect(await chart.locator('text', { hasText: 'shop-1:7' }).count()).toBe(1)
    const answers = async (): Promise<string> => tab.locator('#tile-answers .detail').innerText()
    await expect.poll(answers).toBe('32 since the start')

    await tab.evaluate(axe.source)
    for (const colorScheme of ['light', 'dark'] as const) {
      await tab.emulateMedia({ colorScheme })
      const { violations } = await tab.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(AXE)
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
    }

    await tab.locator('#processes').getByRole('button', { name: '<b>shop-2:8' }).press('Enter')
    await expect.poll(answers).toBe('11 since the start')
    expect(await tab.evaluate('document.activeElement.id')).toBe('process-choice')
    await tab.getByRole('combobox', { name: 'Processes' }).selectOption('this:1 (serves this page)')
    await expect.poll(answers).toBe('10 since the start')
    await tab.getByRole('combobox', { name: 'Processes' }).selectOption('all 3')
    await expect.poll(answers).toBe('32 since the start')
    for (const width of [360, 768]) {
      await tab.setViewportSize({ width, height: 900 })
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
    }
    load.gate.resolve(1)
    await slow
    expect(complaints).toEqual([])
  })
})

/** Some seconds of an application's life, for the pictures in the docs. */
async function busyShop(): Promise<{ options: Parameters<typeof served>[0]; stop(): Promise<void> }> {
  const server = await startRedis()
  const clients = Array.from({ length: 3 }, () => new Redis(server.url))
  const caches = clients.map((redis) =>
    createCache({ ttl: 2500, staleWhileRevalidate: 4000, redis, maxLoads: 8, waitTimeout: 60_000 }),
  )
  const [cache, second, third] = caches as [Cache, Cache, Cache]
  joined(second, 'shop-8:4242')
  joined(third, 'worker-1:977')
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
  let tick = 0
  const load = (key: string, id: number) => async () => {
    await pause(60 + 90 * (id % 7) + 40 * (tick % 4))
    if (key === 'price:11' && tick % 3 > 0) throw new Error('the price service answered 503')
    return { id }
  }
  const timer = setInterval(() => {
    tick++
    for (let i = 0; i < 40; i++) {
      const id = Math.floor(30 * ((i * 0.618 + tick * 0.37) % 1) ** 3)
      const key = `${['product', 'user', 'price'][id % 3]}:${id}`
      const where = i % 8 === 0 ? third : i % 3 === 0 ? second : cache
      where.getOrRefill(key, load(key, id), { tags: [`shop:${id % 4}`] }).catch(() => {})
    }
    const report = { ttl: 400, staleWhileRevalidate: 0 }
    if (tick % 4 === 0) cache.getOrRefill('report:2026', () => pause(2400).then(() => 1), report).catch(() => {})
    if (tick % 9 === 0) third.getOrRefill(`stock:${tick % 4}`, () => pause(1900).then(() => 1), report).catch(() => {})
  }, 50)
  return {
    options: { caches: { shop: cache }, allowInvalidate: true, refresh: 1000, process: 'shop-7:4242' },
    async stop() {
      clearInterval(timer)
      await Promise.all(caches.map((each) => each.close()))
      for (const client of clients) client.disconnect()
      await server.stop()
    },
  }
}

test('a busy shop makes the pictures of the docs', { timeout: 120_000 }, async () => {
  const shop = await busyShop()
  onTestFinished(() => shop.stop())
  const { tab, complaints } = await shown(shop.options, { viewport: { width: 1280, height: 1500 } })
  const barsSeen = async (): Promise<number> =>
    ((await tab.locator('#answers-chart path.hits').getAttribute('d')) ?? '').split('M').length
  await eventually('enough has been seen', async () => (await barsSeen()) > (picturesAreWanted ? 57 : 3), {
    within: 80_000,
  })
  await tab.locator('#processes').getByText('worker-1:977').waitFor()
  for (const colorScheme of ['light', 'dark'] as const) {
    await tab.emulateMedia({ colorScheme })
    await takePicture(tab, `dashboard-${colorScheme}`)
  }
  expect(complaints).toEqual([])
})
