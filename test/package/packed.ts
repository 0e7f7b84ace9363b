import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What the consumers need besides herdlock; taken from our own installation, so that nothing is downloaded. */
const BORROWED = [
  ...['ioredis', 'ioredis5', 'iovalkey', 'redis', 'redis5', '@valkey/valkey-glide'],
  ...[
    'express',
    'fastify',
    'hono',
    '@nestjs/common',
    'reflect-metadata',
    '@types/node',
    '@types/express',
    'typescript',
  ],
  ...['koa', '@types/koa', 'koa2', '@types/koa2', 'next', '@opentelemetry/api', 'prom-client', 'vitest'],
]

export interface Packed {
  tarball: string
  remove(): Promise<void>
}

/** The package as it would be published. */
export async function pack(): Promise<Packed> {
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-pack-'))
  // `npm test` has built it; without this, packing would build again under the feet of other tests.
  const answer = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], ROOT)
  const [packed] = JSON.parse(answer) as { filename: string }[]
  if (!packed) throw new Error(`npm pack said: ${answer}`)
  return { tarball: join(folder, packed.filename), remove: () => rm(folder, { recursive: true, force: true }) }
}

export interface Consumer {
  readonly folder: string
  /** Runs a Node script of `consumers/`, or a tool of `node_modules`, where herdlock is installed. */
  node(...args: string[]): Promise<string>
  /** Puts the package at `path` in the place of what `name` was before. */
  use(name: string, path: string): Promise<void>
  remove(): Promise<void>
}

/** A project outside this repository that has installed the tarball, and of other packages those that are borrowed. */
export async function installed(tarball: string, { borrowed = BORROWED } = {}): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-consumer-'))
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', tarball], folder)
  const use = async (name: string, path: string): Promise<void> => {
    const link = join(folder, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await rm(link, { recursive: true, force: true })
    await symlink(path, link)
  }
  for (const name of borrowed) await use(name, join(ROOT, 'node_modules', name))
  await cp(join(ROOT, 'test', 'package', 'consumers'), folder, { recursive: true })
  return {
    folder,
    node: (...args) => run(process.execPath, args, folder),
    use,
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

/** The names of all packages of our own installation. */
export async function allPackages(): Promise<string[]> {
  const packages = join(ROOT, 'node_modules')
  const names = (await readdir(packages)).filter((name) => !name.startsWith('.'))
  const scoped = async (name: string): Promise<string[]> =>
    name.startsWith('@') ? (await readdir(join(packages, name))).map((own) => `${name}/${own}`) : [name]
  return (await Promise.all(names.map(scoped))).flat()
}

/** Runs a command, with `env` beside what is usual, and resolves with what it printed; rejects with all of it when it fails. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, env: { ...outsideEnvironment(), ...env } }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${args.join(' ')} failed\n${stdout}\n${stderr}`))
      else resolve(stdout)
    })
  })
}

/** The environment of someone who does not work in this repository: nothing of npm's, no tool of our node_modules. */
function outsideEnvironment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  return { ...Object.fromEntries(own), PATH: path.join(delimiter) }
}
