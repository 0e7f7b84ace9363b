import type { TestProject } from 'vitest/node'
import { assertVersion, findRedis } from './redis-binary.ts'
import { startRedis } from './redis-server.ts'
import { addressOf, askRedis } from './resp.ts'

/** Finds the Redis of the test run, says which one it took, and gives its URL to the suites. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const binary = await findRedis(console.log)
  const own = `${binary.server} ${binary.version} (${binary.source})`

  const given = process.env['REDIS_URL']
  if (given) {
    const version = await versionAt(given)
    const { host, port } = addressOf(given)
    console.log(`Redis: REDIS_URL, ${host}:${port} ${version}; suites that own their server: ${own}`)
    project.provide('sharedRedisUrl', given)
    return async () => {}
  }

  console.log(`Redis: ${own}`)
  const server = await startRedis()
  project.provide('sharedRedisUrl', server.url)
  return () => server.stop()
}

async function versionAt(url: string): Promise<string> {
  try {
    const answer = String(await askRedis(addressOf(url), 'INFO', 'server'))
    const version = /redis_version:(\S+)/.exec(answer)?.[1] ?? 'unknown'
    assertVersion(version)
    return version
  } catch (error) {
    throw new Error('REDIS_URL cannot be used', { cause: error })
  }
}
