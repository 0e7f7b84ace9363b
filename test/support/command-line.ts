import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { own } from './owned-process.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** What a run of `herdlock` has printed, and what it ended with. */
export interface Answered {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the built `herdlock` with these arguments, as from a pipe, to its end. */
export async function herdlock(args: readonly string[], env: Record<string, string> = {}): Promise<Answered> {
  await access(CLI).catch(() => {
    throw new Error('dist/ is missing: npm run build')
  })
  const inherited = Object.entries(process.env).filter(([name]) => name !== 'REDIS_URL')
  const child = own(
    spawn(process.execPath, [CLI, ...args], {
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, out, err }
}
