import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { basename, delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { findUnpackedRedis, unpackRedis } from './redis-unpack.ts'

const run = promisify(execFile)

/** A Redis or Valkey server that the tests may start. */
export interface RedisBinary {
  server: string
  /** `undefined` when no redis-cli was found for it; only `startCluster` needs one. */
  cli: string | undefined
  version: string
  /** The rule that found it, for people. */
  source: string
  /** Environment that its processes need. */
  env: NodeJS.ProcessEnv
}

const OLDEST = [6, 2] as const
const SERVERS = ['redis-server', 'valkey-server']
const CLIS = ['redis-cli', 'valkey-cli']
const OTHER_FOLDERS = ['/opt/homebrew/bin', '/usr/local/bin']

let found: Promise<RedisBinary> | undefined

/**
 * The server binary for suites that own their Redis: `REDIS_SERVER_BIN`, the PATH, the usual folders, an earlier
 * unpacked copy, a fresh unpack on Debian and Ubuntu; the first that serves. Rejects with the remedies when none does.
 */
export function findRedis(report: (line: string) => void = () => {}): Promise<RedisBinary> {
  return (found ??= search(report))
}

async function search(report: (line: string) => void): Promise<RedisBinary> {
  const named = process.env['REDIS_SERVER_BIN']
  if (named) return await useNamed(named)

  const tried: string[] = []
  for (const path of candidates()) {
    if (!(await isExecutable(path))) continue
    try {
      return await describe(path, 'found on this machine', {})
    } catch (error) {
      tried.push(`${path}: ${messageOf(error)}`)
    }
  }

  const earlier = await findUnpackedRedis()
  if (earlier) {
    try {
      return await describe(earlier.server, 'unpacked earlier', earlier.env)
    } catch (error) {
      tried.push(`${earlier.server}: ${messageOf(error)}`)
    }
  }

  try {
    report('Redis: none found, unpacking a private copy from the package archive (no root, about 8 MB)')
    const fresh = await unpackRedis()
    return await describe(fresh.server, 'unpacked now', fresh.env)
  } catch (error) {
    tried.push(`unpack: ${messageOf(error)}`)
  }
  throw new Error(remedies(tried))
}

/** What the user named is used or refused, never replaced by something else. */
async function useNamed(path: string): Promise<RedisBinary> {
  try {
    return await describe(path, 'REDIS_SERVER_BIN', {})
  } catch (error) {
    throw new Error(`REDIS_SERVER_BIN=${path} cannot be used: ${messageOf(error)}`)
  }
}

function candidates(): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...OTHER_FOLDERS]
  return folders.flatMap((folder) => SERVERS.map((name) => join(folder, name)))
}

async function describe(server: string, source: string, env: NodeJS.ProcessEnv): Promise<RedisBinary> {
  const { stdout } = await run(server, ['--version'], { env: { ...process.env, ...env } })
  const version = /\bv=(\d+\.\d+[.\d]*)/.exec(stdout)?.[1]
  if (version === undefined) throw new Error(`not a Redis server: it said ${JSON.stringify(stdout.slice(0, 80))}`)
  assertVersion(version)
  return { server, cli: await cliFor(server), version, source, env }
}

/** Throws when `version` is below the oldest Redis that herdlock supports. */
export function assertVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
  throw new Error(`version ${version} is older than ${OLDEST.join('.')}`)
}

async function cliFor(server: string): Promise<string | undefined> {
  const beside = join(dirname(server), basename(server).replace('-server', '-cli'))
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)
  for (const path of [beside, ...folders.flatMap((folder) => CLIS.map((name) => join(folder, name)))]) {
    if (path !== server && (await isExecutable(path))) return path
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function remedies(tried: readonly string[]): string {
  return [
    'No Redis (6.2 or newer) or Valkey server for the tests. One of these helps:',
    '  Debian, Ubuntu   apt-get install redis-server',
    '  macOS            brew install redis',
    '  Fedora, RHEL     dnf install redis        (or: dnf install valkey)',
    '  a binary         REDIS_SERVER_BIN=/path/to/redis-server',
    '  a server         REDIS_URL=redis://host:port (suites that must own their server need one of the others)',
    ...tried.map((line) => `Tried ${line}`),
  ].join('\n')
}
