import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { findRedis } from './redis-binary.ts'
import { killRedis, launchRedis } from './redis-process.ts'
import { askRedis, type Reply } from './resp.ts'

export interface RedisServerOptions {
  /** Further arguments of redis-server, as on its command line. */
  args?: readonly string[]
  password?: string
  /** Whether DEBUG may be used, which from version 7 on must be said. */
  debug?: boolean
  /** Default: a free one. */
  port?: number
}

/** A Redis process that the test owns and may treat badly. */
export interface RedisServer {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly password: string | undefined
  readonly pid: number
  /** One command on a connection of its own, so that nothing stays open. */
  command(...words: (string | number | Buffer)[]): Promise<Reply>
  /** Freezes the process (SIGSTOP): connections stay open, nothing is answered. */
  pause(): void
  /** Lets a frozen process go on (SIGCONT). */
  resume(): void
  /** SIGKILL; resolves when the process has ended. */
  kill(): Promise<void>
  /** Ends the process if it runs and starts it on the same port, empty. */
  restart(): Promise<void>
  /** Ends the process and removes its folder. */
  stop(): Promise<void>
}

const HOST = '127.0.0.1'

/** Starts a Redis of the test's own, ready to be used. It ends with the test process, however that ends. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-redis-'))
  const port = options.port ?? (await freePort())
  const { password } = options
  const address = { host: HOST, port, password }

  async function launch(): Promise<ChildProcess & { pid: number }> {
    const binary = await findRedis()
    const child = await launchRedis(binary, argsFor(port, binary.version, options), folder)
    await askRedis(address, 'PING')
    return child
  }

  let child = await launch().catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })

  return {
    url: `redis://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}${HOST}:${port}`,
    host: HOST,
    port,
    password,
    get pid() {
      return child.pid
    },
    command: (...words) => askRedis(address, ...words),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: () => killRedis(child),
    async restart() {
      await killRedis(child)
      child = await launch()
    },
    async stop() {
      await killRedis(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function argsFor(port: number, version: string, { args = [], password, debug = false }: RedisServerOptions): string[] {
  const base = ['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no']
  const auth = password === undefined ? [] : ['--requirepass', password, '--masterauth', password]
  const allowed = debug && Number.parseInt(version, 10) >= 7 ? ['--enable-debug-command', 'yes'] : []
  return [...base, ...auth, ...allowed, ...args]
}
