import { type ChildProcess, spawn } from 'node:child_process'
import type { RedisBinary } from './redis-binary.ts'
import { ended, own } from './owned-process.ts'

const READY = /Ready to accept connections|Sentinel ID is/
const START_DEADLINE = 10_000
const LOG_KEPT = 4_000

/** Starts a server process and resolves when it says that it listens. Rejects with its log when it ends instead. */
export async function launchRedis(
  binary: RedisBinary,
  args: readonly string[],
  folder: string,
): Promise<ChildProcess & { pid: number }> {
  const child = own(
    spawn(binary.server, args, {
      cwd: folder,
      env: { ...process.env, ...binary.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  let log = ''
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${binary.server} ${args.join(' ')}: ${why}\n${log}`))
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      fail(`not ready within ${START_DEADLINE} ms`)
    }, START_DEADLINE)
    const read = (chunk: Buffer): void => {
      log = (log + chunk.toString()).slice(-LOG_KEPT)
      if (!READY.test(log)) return
      clearTimeout(timer)
      resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('error', (error) => {
      clearTimeout(timer)
      fail(error.message)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      fail(`ended with ${signal ?? code}`)
    })
  })
  return child as ChildProcess & { pid: number }
}

/** SIGKILL, which also ends a stopped process; resolves when it has ended. */
export async function killRedis(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await ended(child)
}
