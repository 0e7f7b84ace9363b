import { spawn, type ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { ended, own } from '../support/owned-process.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

const APP = fileURLToPath(new URL('../../examples/next/', import.meta.url))
const NEXT = fileURLToPath(new URL('../../node_modules/next/dist/bin/next', import.meta.url))

/** One `next start`. */
interface Pod {
  readonly child: ChildProcess
  readonly url: string
  /** What its cached function has printed. */
  readonly rendered: string[]
}

let redis: RedisServer
const pods: Pod[] = []

beforeAll(async () => {
  redis = await startRedis()
  // By webpack, since Turbopack takes no `node_modules` that is a link.
  const { code, signal } = await ended(next('build', '--webpack'))
  if (code !== 0) throw new Error(`next build ended with ${signal ?? code}`)
}, 120_000)
afterAll(async () => {
  for (const { child } of pods) child.kill('SIGKILL')
  await Promise.all(pods.map(({ child }) => ended(child)))
  await redis.stop()
  await rm(new URL('../../examples/next/.next', import.meta.url), { recursive: true, force: true })
})

function next(command: string, ...args: string[]): ChildProcess {
  const env = { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', REDIS_URL: redis.url }
  return own(spawn(process.execPath, [NEXT, command, APP, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] }))
}

async function start(renderMs: number): Promise<Pod> {
  const port = await freePort()
  process.env['RENDER_MS'] = String(renderMs)
  const child = next('start', '--port', String(port), '--hostname', '127.0.0.1')
  const rendered: string[] = []
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    if (line.startsWith('render')) rendered.push(line)
  })
  const pod = { child, url: `http://127.0.0.1:${port}`, rendered }
  pods.push(pod)
  await eventually('it answers', async () => (await fetch(`${pod.url}/revalidate`, { method: 'POST' })).ok)
  return pod
}

/** What a page shows: the report of that name, or the static page that has it. */
async function show({ url }: Pod, name: string): Promise<string> {
  const html = await (await fetch(name === 'about' ? `${url}/about` : `${url}/?name=${name}`)).text()
  const shown = new RegExp(`${name} by \\d+ at \\d+`).exec(html)?.[0]
  if (shown === undefined) throw new Error(`nothing shown: ${html}`)
  return shown
}

const revalidate = async ({ url }: Pod, what: string): Promise<unknown> =>
  fetch(`${url}/revalidate?${what}`, { method: 'POST' })

test('two processes of next start render each entry once, and both see what is revalidated', async () => {
  const [one, two] = await Promise.all([start(200), start(200)])
  for (const name of ['herd', 'about']) {
    const shown = await Promise.all(Array.from({ length: 40 }, (_, n) => show(n % 2 === 0 ? one : two, name)))
    expect(new Set(shown).size).toBe(1)
    expect([...one.rendered, ...two.rendered].filter((line) => line === `rendered ${name}`)).toHaveLength(1)
  }

  for (const [from, what, name] of [
    [one, 'tag=reports', 'herd'],
    [two, 'path=/', 'herd'],
    [one, 'path=/about', 'about'],
  ] as const) {
    const before = await show(one, name)
    await revalidate(from, what)
    // The one who has revalidated sees it at once, the other when the message has come.
    const after = await show(from, name)
    expect(after).not.toBe(before)
    for (const pod of [one, two]) await eventually('it shows', async () => (await show(pod, name)) === after)
  }

  const stale = await show(two, 'herd')
  await revalidate(one, 'tag=reports&soon')
  expect(await show(one, 'herd')).toBe(stale) // served while it is rendered anew
  await eventually('it is new', async () => (await show(two, 'herd')) !== stale)
}, 60_000)

test('a process that dies while it renders is replaced by one that waits for it', async () => {
  const [slow, other] = await Promise.all([start(60_000), start(50)])
  const lost = show(slow, 'killed').catch(() => 'lost')
  await eventually('it renders', () => slow.rendered.includes('rendering killed'))
  const waiting = show(other, 'killed')
  await show(other, 'meanwhile')
  expect(other.rendered).not.toContain('rendering killed')
  slow.child.kill('SIGKILL')
  expect(await lost).toBe('lost')
  const shown = await waiting
  expect(shown).toContain(`killed by ${other.child.pid}`)
  expect(await show(other, 'killed')).toBe(shown) // it had the lease, and so it is stored
}, 60_000)
