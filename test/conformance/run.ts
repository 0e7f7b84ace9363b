import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { getRequestListener } from '@hono/node-server'

import { singleFlight as singleFetchFlight } from '../../src/middleware/fetch/single-flight.ts'
import type { OptionsFor } from '../../src/middleware/options.ts'
import { singleFlight } from '../../src/middleware/node/single-flight.ts'
import { passThrough, passThroughFetch, type Style } from './pass-through.ts'

/** What does not depend on the server. */
export type SuiteOptions = Omit<OptionsFor<never>, 'key' | 'bypass'>

/** What became of a test, in the words of the suite's own report. */
export type Outcome = 'pass' | 'fail' | 'setup' | 'dependency' | 'retry'

export interface Report {
  /** By kind and id of the test. */
  required: Record<string, Outcome>
  optimal: Record<string, Outcome>
  messages: Record<string, string>
}

/**
 * Runs the suite of http-cache-tests through a server in which our middleware stands before a proxy handler, for `fetch`
 * through one that answers a `Request` with a `Response`. Its part on
 * Surrogate-Control, which its own index leaves out, is for caches that heed that field.
 */
export async function runSuite(style: Style | 'fetch', options: SuiteOptions = {}): Promise<Report> {
  const originPort = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'http-cache-tests-'))
  const origin = startOrigin(originPort, folder)
  const { listener, close } = style === 'fetch' ? onFetch(originPort, options) : onNode(originPort, style, options)
  const server = createServer(listener)
  try {
    await untilListening(originPort)
    const base = await listen(server)
    return await runTests(base, options.targetedFields?.includes('Surrogate-Control') === true)
  } finally {
    server.close()
    server.closeAllConnections()
    await close()
    origin.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Mounted {
  listener: RequestListener
  close(): Promise<void>
}

function onNode(port: number, style: Style, options: SuiteOptions): Mounted {
  const flight = singleFlight(options)
  const handler = passThrough(port, style)
  return { listener: (req, res) => flight(req, res, () => handler(req, res)), close: () => flight.close() }
}

function onFetch(port: number, options: SuiteOptions): Mounted {
  const flight = singleFetchFlight(options)
  const listener = getRequestListener(flight.wrap(passThroughFetch(port)))
  return { listener: (req, res) => void listener(req, res), close: () => flight.close() }
}

async function runTests(base: string, heedsSurrogates: boolean): Promise<Report> {
  const { default: suites } = await import('http-cache-tests/tests/index.mjs')
  const { default: surrogate } = await import('http-cache-tests/tests/surrogate-control.mjs')
  // The runner keeps its results in module state: each run gets modules of its own, as each test file does.
  const runner = await import('http-cache-tests/client/runner.mjs')
  const all = heedsSurrogates ? [...suites, surrogate] : suites
  await runner.runTests(all, fetch, false, base)
  const results = runner.getResults()
  const tests = new Map(all.flatMap(({ tests }) => tests.map((test) => [test.id, test] as const)))
  const outcomeOf = (id: string): Outcome => {
    const test = tests.get(id)
    const result = results[id]
    if (test?.depends_on?.some((other) => outcomeOf(other) !== 'pass')) return 'dependency'
    if (result === true) return 'pass'
    if (result?.[0] === 'Setup') return result[1] === 'retry' ? 'retry' : 'setup'
    return 'fail'
  }
  const report: Report = { required: {}, optimal: {}, messages: {} }
  for (const [id, test] of tests) {
    const kind = test.kind ?? 'required'
    if (test.browser_only || kind === 'check') continue
    report[kind][id] = outcomeOf(id)
    const result = results[id]
    if (Array.isArray(result)) report.messages[id] = result[1]
  }
  return report
}

function startOrigin(port: number, folder: string): ChildProcess {
  const main = fileURLToPath(import.meta.resolve('http-cache-tests/server/server.mjs'))
  const env = { npm_config_protocol: 'http', npm_config_port: String(port), npm_config_pidfile: join(folder, 'pid') }
  return spawn(process.execPath, [main], { env: { ...process.env, ...env }, cwd: folder, stdio: 'ignore' })
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      socket.destroy()
      return
    } catch (error) {
      if (attempt === 100) throw error
      await pause(50)
    }
  }
}
