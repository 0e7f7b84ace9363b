import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { BARE, inProcess, isInstalled } from './contenders.ts'
import type { Load } from './origin.ts'
import { proxies, startProxy, whereIs } from './proxies.ts'

/** One that takes part in a measurement. */
export interface Contestant {
  readonly name: string
  readonly limit: string | undefined
  start(load: Load): Promise<Started>
}

export interface Started {
  readonly name: string
  readonly port: number
  /** Handlers that have run since this was asked last. */
  runs(): Promise<number>
  stop(): Promise<void>
}

const UNDICI = 'undici cache interceptor'

/** Those that are there; says which are not, and how to get them. */
export function contestants(): readonly Contestant[] {
  const absent = (name: string, remedy: string): void => console.log(`left out: ${name} (${remedy})`)
  const present: Contestant[] = []
  for (const { name, limit, needs } of inProcess) {
    if (needs !== undefined && !isInstalled(needs)) absent(name, 'npm ci --prefix bench/http/peers')
    else present.push({ name, limit, start: (load) => startServer(name, load) })
  }
  if (isInstalled('undici')) present.push({ name: UNDICI, limit: undefined, start: startUndici })
  else absent(UNDICI, 'npm ci --prefix bench/http/peers')
  for (const proxy of proxies) {
    const { name, program, remedy } = proxy
    if (whereIs(program) === undefined) {
      absent(name, remedy)
      continue
    }
    const start = (load: Load) => startBefore(load, name, ({ port }) => startProxy(proxy, port))
    present.push({ name, limit: undefined, start })
  }
  return present
}

function startUndici(load: Load): Promise<Started> {
  return startBefore(load, UNDICI, ({ port }) => startServer(UNDICI, load, port))
}

/** A cache before an origin of its own, which knows how often its handlers have run. */
async function startBefore(
  load: Load,
  name: string,
  start: (origin: Started) => Promise<{ port: number; stop(): Promise<void> }>,
): Promise<Started> {
  const origin = await startServer(BARE, load)
  const before = await start(origin)
  return {
    name,
    port: before.port,
    runs: origin.runs,
    async stop() {
      await before.stop()
      await origin.stop()
    },
  }
}

async function startServer(name: string, load: Load, originPort?: number): Promise<Started> {
  const script = fileURLToPath(new URL('server.ts', import.meta.url))
  const args = [name, JSON.stringify(load), ...(originPort === undefined ? [] : [String(originPort)])]
  const child = fork(script, args, { execArgv: ['--import', 'tsx'] })
  const { port } = await answerOf<{ port: number }>(child)
  return {
    name,
    port,
    async runs() {
      const answer = answerOf<{ runs: number }>(child)
      child.send('runs')
      return (await answer).runs
    },
    async stop() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [answer] = (await once(child, 'message')) as [T]
  return answer
}
