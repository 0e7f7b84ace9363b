import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { CHROMIUM_START, startChromium } from '../support/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { type Program, runProgram } from '../support/run-program.ts'
import { ask } from './support/served.ts'
import { takePicture } from './support/pictures.ts'

const TIMEOUT = 90_000
let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
}, CHROMIUM_START)
afterAll(() => browser?.close())

async function serveDemo(): Promise<{ demo: Program; url: string }> {
  const demo = await runProgram('examples/demo/main.ts', ['--serve'])
  onTestFinished(async () => {
    demo.kill('SIGKILL')
    await demo.exited
  })
  const [url] = /http:\S+/.exec(await demo.line("The demo's page")) as RegExpExecArray
  expect(await demo.line('The dashboard:')).toContain(`${url}/herdlock/`)
  return { demo, url }
}

test('the demo serves a page on which a herd can be watched, and ends at Ctrl-C', { timeout: TIMEOUT }, async () => {
  const { demo, url } = await serveDemo()
  expect(await ask(`${url}/stampede`, { method: 'POST' })).toMatchObject({ status: 409 }) // as another site would
  const tab = await browser.newPage({ viewport: { width: 1120, height: 820 } })
  const complaints: string[] = []
  tab.on('pageerror', (error) => complaints.push(String(error)))
  tab.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  await tab.goto(url)
  const button = tab.getByRole('button', { name: 'Stampede' })
  await button.focus()
  await tab.keyboard.press('Enter')
  await tab.getByText('500 requests down each lane').waitFor()
  const figure = (lane: string, name: string) => tab.locator(`#${lane} dd.${name}`)
  await expect.poll(async () => Number(await figure('without', 'waiting').textContent())).toBeGreaterThan(0) // once all connections are open
  await eventually(
    'a part of the herd still waits',
    async () => {
      const answered = Number(await figure('without', 'answered').textContent())
      return answered > 120 && Number(await figure('with', 'answered').textContent()) === 500
    },
    { within: 30_000 },
  )
  for (const colorScheme of ['light', 'dark'] as const) {
    await tab.emulateMedia({ colorScheme })
    await takePicture(tab, `demo-${colorScheme}`)
  }
  await tab.getByText('500 queries without, 1 query with.').waitFor({ timeout: 40_000 })
  expect(await figure('with', 'runs').textContent()).toBe('1')
  expect(await figure('with', 'waiting').textContent()).toBe('0')
  expect(await tab.locator('#without .herd').getAttribute('aria-label')).toBe(
    '500 of 500 requests are answered, 0 wait',
  )

  await tab.getByRole('button', { name: 'Ask the model' }).click()
  const readers = tab.locator('#stream .readers li')
  await readers.nth(2).filter({ hasText: 'Once upon a time' }).waitFor()
  await expect.poll(() => tab.locator('#stream .readers li.ended').count(), { timeout: 20_000 }).toBe(3)
  const stories = await readers.allTextContents()
  expect(new Set(stories).size).toBe(1)
  expect(stories[0]).toMatch(/^Once .* rest\. $/)
  const words = stories[0]?.trim().split(' ').length ?? 0
  await expect.poll(() => tab.locator('#stream dd.words').textContent()).toBe(String(words))
  expect(await tab.locator('#stream dd.asked').textContent()).toBe('1')
  expect(await tab.locator('#stream dd.read').textContent()).toBe(String(3 * words))

  await tab.setViewportSize({ width: 360, height: 800 })
  expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360)
  await tab.getByRole('link', { name: 'Open the dashboard' }).click()
  await tab.getByText('live', { exact: true }).waitFor()
  await expect.poll(() => tab.locator('#tile-refills').innerText()).toContain('2 in all')
  expect(complaints).toEqual([])

  demo.kill('SIGINT')
  expect(await demo.exited).toEqual({ code: 0, signal: null })
  expect(demo.errors).toBe('')
  expect(demo.output).toContain('ended')
  await eventually('no process is left', () => !demo.isAlive(), { within: 10_000 })
  await tab.close()
})
