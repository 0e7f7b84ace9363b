import { spawn } from 'node:child_process'
import { access, cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { own } from './owned-process.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What a run of `herdlock` has printed, and what it ended with. */
export interface Answered {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the built `herdlock`, which uses ioredis, with these arguments, as from a pipe, to its end. */
export function herdlock(args: readonly string[], env: Record<string, string> = {}): Promise<Answered> {
  return runIn(ROOT, args, env)
}

/** The built `herdlock` where no client is installed but the one of a package, by the name of another if need be. */
export interface CommandLine {
  run(args: readonly string[], env?: Record<string, string>): Promise<Answered>
  remove(): Promise<void>
}

export async function commandLineWith(client: string, installedAs: string = client): Promise<CommandLine> {
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-cli-'))
  await cp(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true })
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
  const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object }
  const packages = Object.keys(dependencies).map((name) => [name, name] as const)
  for (const [name, path] of [...packages, [installedAs, client] as const]) {
    const link = join(folder, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(join(ROOT, 'node_modules', path), link)
  }
  return {
    run: (args, env = {}) => runIn(folder, args, env),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

async function runIn(folder: string, args: readonly string[], env: Record<string, string>): Promise<Answered> {
  const cli = join(folder, 'dist', 'cli.js')
  await access(cli).catch(() => {
    throw new Error('dist/ is missing: npm run build')
  })
  const inherited = Object.entries(process.env).filter(([name]) => name !== 'REDIS_URL')
  const child = own(
    spawn(process.execPath, [cli, ...args], {
      cwd: folder,
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
