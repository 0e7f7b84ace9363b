import { once } from 'node:events'
import { writeFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { Redis } from 'ioredis'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createCache } from '../../../src/cache/create-cache.ts'
import { Locker } from '../../../src/lock/locker.ts'
import { type CommandLine, commandLineWith } from '../../support/command-line.ts'
import { freePort } from '../../support/free-port.ts'
import { type RedisCluster, startCluster } from '../../support/redis-cluster.ts'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'
import { startProxy } from '../../support/tcp-proxy.ts'

interface Told {
  readonly instances: {
    instance: string
    findings: { check: string; level: string; said: string; change?: string }[]
  }[]
}

const PASSWORD = 'open:sesame'
const SECRET = encodeURIComponent(PASSWORD)

let redis: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  redis = await startRedis({ args: ['--maxmemory', '200mb', '--maxmemory-policy', 'volatile-lru'] })
  cluster = await startCluster()
}, 60_000)
afterAll(async () => {
  await redis?.stop()
  await cluster?.stop()
})

const as = (user: string): string => `redis://${user}:${SECRET}@${redis.host}:${redis.port}`
const allow = (user: string, ...rules: string[]): Promise<unknown> =>
  redis.command('ACL', 'SETUSER', user, 'reset', 'on', `>${PASSWORD}`, ...rules)

describe.each([
  ['ioredis5', 'ioredis'],
  ['iovalkey', 'iovalkey'],
  ['redis', 'redis'],
  ['redis5', 'redis'],
  ['@valkey/valkey-glide', '@valkey/valkey-glide'],
])('where %s is the client that is installed', (client, installedAs) => {
  let cli: CommandLine
  beforeAll(async () => {
    cli = await commandLineWith(client, installedAs)
  })
  afterAll(() => cli?.remove())

  async function doctor(
    args: string[],
    env?: Record<string, string>,
  ): Promise<{ code: number | null; levels: string[]; text: string }> {
    const { code, out, err } = await cli.run(['doctor', '--json', ...args], env)
    if (out === '') throw new Error(err)
    const { instances } = JSON.parse(out) as Told
    const levels = instances.flatMap(({ findings }) => findings.map(({ check, level }) => `${check} ${level}`))
    return { code, levels, text: out + err }
  }
  const unless = (expected: RegExp, levels: readonly string[]): string[] =>
    levels.filter((line) => !expected.test(line))

  it('the doctor finds a Redis fit, leaves nothing behind and ends', async () => {
    const { code, levels, text } = await doctor([redis.url])
    expect(unless(/ ok$|^latency/, levels), text).toEqual([])
    expect(levels).toHaveLength(13)
    expect(code).toBe(0)
    expect(await redis.command('DBSIZE')).toBe(0)
  })

  it('the doctor listens where the clients of that database do', async () => {
    await allow('hearing', '~*', '+@all', '&herdlock:inbox:*', '&herdlock:backplane::3')
    expect((await doctor([`${as('hearing')}/3`])).levels).toContain('messages ok')
  })

  it('the doctor says which right is missing for messages', async () => {
    await allow('deaf', '~*', 'resetchannels', '+@all')
    const { code, levels, text } = await doctor([as('deaf')])
    expect([code, unless(/ ok$|^latency/, levels)]).toEqual([1, ['messages fail']])
    expect(text).toContain('&herdlock:inbox:*')
  })

  it('the doctor says that a second connection is refused', async () => {
    const crowded = await startRedis({ args: ['--maxclients', '1', '--maxmemory', '200mb'] })
    try {
      const { code, levels, text } = await doctor([crowded.url])
      expect([code, levels]).toEqual([1, expect.arrayContaining(['entries ok', 'messages fail'])])
      expect(text).toContain('raise maxclients')
    } finally {
      await crowded.stop()
    }
  })

  it('no more rights are needed than the docs ask for', async () => {
    const commands = 'get set del pttl pexpire sadd smembers time publish zpopmin mget subscribe scan unlink'
    const rights = ['+@scripting', ...commands.split(' ').map((name) => `+${name}`)]
    await allow('frugal', '~shop:*', '~herdlock:queue:*', '&shop:*', '&herdlock:inbox:*', ...rights)
    const { code, levels, text } = await doctor([as('frugal'), '--prefix', 'shop'])
    expect(unless(/ ok$| unknown$|^locks warn$/, levels), text).toEqual([])
    expect(code).toBe(0)
  })

  it('a wrong password is told from a Redis that is away', async () => {
    const guarded = await startRedis({ password: PASSWORD })
    try {
      const address = `${guarded.host}:${guarded.port}`
      for (const url of [`redis://${address}`, `redis://:wrong@${address}`, `redis://ada:${SECRET}x@${address}`]) {
        const { code, levels, text } = await doctor([url])
        expect([code, levels], text).toEqual([1, ['login fail']])
        expect(text).not.toContain('sesame')
        const inspected = await cli.run(['inspect', url])
        expect([inspected.code, inspected.out]).toEqual([1, ''])
        expect(inspected.err).not.toContain('sesame')
      }
      expect((await doctor([guarded.url])).code).toBe(0)
    } finally {
      await guarded.stop()
    }
    const away = `redis://127.0.0.1:${await freePort()}`
    const { code, levels, text } = await doctor([away])
    expect([code, levels]).toEqual([3, ['answer fail']])
    expect(text).toMatch(/ECONNREFUSED|Connection refused/)
    expect((await cli.run(['inspect', away])).code).toBe(3)
  })

  it('a Redis that is frozen, and one that closes the connection, are given up', async () => {
    const frozen = await startRedis()
    try {
      frozen.pause()
      const { code, levels } = await doctor([frozen.url, '--timeout', '500'])
      expect([code, levels]).toEqual([3, ['answer fail']])
    } finally {
      await frozen.stop()
    }
    const proxy = await startProxy(redis)
    try {
      void proxy.loseReplies(1, ([name]) => name?.toLowerCase() === 'scan').catch(() => {})
      const { code, err } = await cli.run(['inspect', `redis://${proxy.host}:${proxy.port}`, '--timeout', '500'])
      expect([code, err.trim().split('\n')]).toEqual([3, [expect.stringMatching(/^herdlock: /)]])
    } finally {
      await proxy.close()
    }
  })

  it('TLS is spoken, with an authority of ones own', async () => {
    const { url, authority } = await startTls(redis)
    expect(await doctor([url], { NODE_EXTRA_CA_CERTS: authority })).toMatchObject({ code: 0 })
    const { code, text } = await doctor([url])
    expect([code, text]).toEqual([3, expect.stringContaining('NODE_EXTRA_CA_CERTS=file.pem')])
  })

  it('the doctor examines every master of a Cluster by way of a replica', async () => {
    const { code, levels, text } = await doctor([cluster.nodes[4]?.url ?? ''])
    expect(unless(/ ok$|^memory warn|^latency/, levels), text).toEqual([])
    expect(levels.filter((line) => line === 'cluster ok')).toHaveLength(3)
    expect(code).toBe(0)
  })

  it('entries, leases and locks are listed', async () => {
    const client = new Redis(redis.url)
    const cache = createCache({ ttl: 600_000, redis: client })
    const locker = new Locker({ clients: client })
    try {
      await cache.set('user:1', { name: 'Ada' }, { tags: ['team'] })
      await locker.tryAcquire('job:1', 600_000)
      const { out } = await cli.run(['inspect', '--json', '--locks', 'job:', redis.url])
      expect(JSON.parse(out)).toMatchObject({
        instances: [
          {
            leases: { total: 1, items: [{ kind: 'lock', key: 'job:1', holder: expect.any(String) as string }] },
            entries: { total: 1, items: [{ key: 'user:1', state: 'fresh', size: 15, tags: ['team'] }] },
          },
        ],
      })
    } finally {
      await Promise.all([locker.close(), cache.close()])
      await client.flushall()
      client.disconnect()
    }
  })
})

/** A port that speaks TLS for a Redis, and the file of who vouches for it, until the test ends. */
async function startTls(target: { host: string; port: number }): Promise<{ url: string; authority: string }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  const authority = join(tmpdir(), `herdlock-cli-${process.pid}.pem`)
  await writeFile(authority, cert)
  const server: Server = createServer({ key, cert }, (socket) => {
    const redis = connect(target)
    socket.on('error', () => redis.destroy()).pipe(redis)
    redis.on('error', () => socket.destroy()).pipe(socket)
  })
  server.on('tlsClientError', () => {})
  server.listen(0, 'localhost')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await rm(authority)
  })
  const { port } = server.address() as { port: number }
  return { url: `rediss://localhost:${port}`, authority }
}
