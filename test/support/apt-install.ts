import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What to type where `packages` are missing, for people on Debian. */
export function installCommand(packages: string): string {
  return `apt-get install -y --no-install-recommends ${packages}`
}

/** Whether `installPackages` may be tried here: root on Debian or Ubuntu. */
export async function maySetUp(): Promise<boolean> {
  return process.getuid?.() === 0 && (await isProgram('/usr/bin/apt-get'))
}

/**
 * Installs `packages`, names that spaces part, into the system. Rejects with apt's complaint. Suites that run at the same
 * time take turns: apt lets only one work.
 */
export async function installPackages(packages: string): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const command = `apt-get update && ${installCommand(packages)}`
  await run('flock', [join(tmpdir(), 'herdlock-apt.lock'), 'sh', '-c', command], { env, maxBuffer: 64 * 1024 * 1024 })
}

/** The first program on the PATH that has one of `names`. */
export async function onPath(names: readonly string[]): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of names) if (await isProgram(join(folder, name))) return join(folder, name)
  }
  return undefined
}

export function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
