import { spawnSync } from 'node:child_process'
import { debianServer } from './debian-server.ts'
import { record } from './recorded.ts'
import { runTests } from './run-tests.ts'
import type { Recorded } from './tested.ts'
import { SERVERS } from './versions.ts'

/**
 *     npm run test:servers                          each server that can be had
 *     npm run test:servers -- valkey/forky          that package of that suite of Debian
 *     npm run test:servers -- /usr/bin/redis-server this binary
 *     npm run test:servers -- --quick               the newest, with what takes a minute
 *
 * With each run the contract suites, Cluster and Sentinel among them, and those of what may go wrong in Redis. Notes for
 * docs/compatibility.md what has passed, the quick run excepted. Ends with 1 if anything failed.
 */
const SUITES = [
  ...['test/contract', 'test/integration/cache-cluster-tags', 'test/integration/cache-tracking'],
  ...[
    'test/integration/cache-rights',
    'test/integration/cache-faults-errors',
    'test/integration/cache-faults-topology',
  ],
]
const QUICK = ['test/contract/cache-expire', 'test/integration/lock/waiting']

const words = process.argv.slice(2)
const isQuick = words.includes('--quick')
const asked = words.filter((word) => word !== '--quick')
const passed: Record<string, Recorded['servers'][string]> = {}
const failed: string[] = []

for (const { path, from } of await chosen()) {
  const { name, version } = versionOf(path)
  console.log(`\n=== ${name}: ${version}, ${from}`)
  const env = { ...process.env, REDIS_SERVER_BIN: path }
  if (runTests(process.execPath, isQuick ? QUICK : SUITES, env)) passed[name] = { version, from }
  else failed.push(name)
}
if (!isQuick) await record('servers', passed)
console.log(failed.length === 0 ? '\nall passed' : `\nfailed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1

async function chosen(): Promise<{ path: string; from: string }[]> {
  const binaries = asked
    .filter((word) => word.startsWith('/'))
    .map((path) => ({ path, from: 'a binary that was at hand' }))
  const named = SERVERS.filter(({ suite, package: name }) => asked.includes(`${name.replace('-tools', '')}/${suite}`))
  const packages = asked.length > 0 ? named : isQuick ? SERVERS.slice(-1) : SERVERS
  if (binaries.length + packages.length < asked.length) throw new Error(`unknown among: ${asked.join(' ')}`)
  const servers = packages.map(async ({ suite, package: name, from }) => ({
    path: await debianServer(suite, name),
    from,
  }))
  return [...binaries, ...(await Promise.all(servers))]
}

/** As `Redis server v=7.0.15 sha=…` tells it. */
function versionOf(path: string): { name: string; version: string } {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  const [, kind = '', version = ''] = /^(\w+) server v=([\d.]+)/.exec(stdout) ?? []
  return { name: `${kind} ${version.split('.').slice(0, 2).join('.')}`, version }
}
