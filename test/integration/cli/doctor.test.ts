import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { herdlock, type Answered } from '../../support/command-line.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { startCluster } from '../../support/redis-cluster.ts'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'

const PASSWORD = 'open:sesame'
const SECRET = encodeURIComponent(PASSWORD)

interface Told {
  readonly ok: boolean
  readonly exitCode: number
  readonly instances: {
    instance: string
    findings: { check: string; level: string; said: string; change?: string }[]
  }[]
}

async function doctor(...args: string[]): Promise<{ code: number | null; told: Told; level(check: string): unknown }> {
  const answered = await herdlock(['doctor', '--json', ...args])
  if (answered.out === '') throw new Error(answered.err)
  const told = JSON.parse(answered.out) as Told
  return {
    code: answered.code,
    told,
    level: (check) => told.instances[0]?.findings.find((finding) => finding.check === check)?.level,
  }
}

const levels = ({ told }: { told: Told }): string[] =>
  told.instances.flatMap(({ findings }) => findings.map(({ check, level }) => `${check} ${level}`))

describe('herdlock doctor', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis({ args: ['--maxmemory', '200mb', '--maxmemory-policy', 'volatile-lru'] })
  })
  afterAll(() => redis?.stop())

  const as = (user: string): string => `redis://${user}:${SECRET}@${redis.host}:${redis.port}`
  const allow = (user: string, ...rules: string[]): Promise<unknown> =>
    redis.command('ACL', 'SETUSER', user, 'reset', 'on', `>${PASSWORD}`, ...rules)

  it('finds nothing to change in a Redis that is fit, and leaves nothing behind in it', async () => {
    const found = await doctor(redis.url)
    expect(levels(found).filter((line) => !/ ok$|^latency/.test(line))).toEqual([])
    expect(levels(found)).toHaveLength(13)
    expect(found.code).toBe(0)
    expect(found.told).toMatchObject({ ok: true, exitCode: 0 })
    expect(await redis.command('DBSIZE')).toBe(0)
    expect(String(await redis.command('CLIENT', 'LIST'))).not.toContain('herdlock-cli')
  })

  it('judges by what the application will need', async () => {
    const crowd = await doctor(redis.url, '--processes', '100000')
    expect([crowd.code, crowd.level('clients')]).toEqual([1, 'fail'])
    expect((await doctor(redis.url, '--processes', '10')).level('clients')).toBe('ok')
  })

  it('prints a line a check, without colours where that is no terminal', async () => {
    const { out, code } = await herdlock(['doctor'], { REDIS_URL: redis.url })
    expect(code).toBe(0)
    expect(out).toMatch(/^127\.0\.0\.1:\d+\n {2}ok {7}version +Redis \d/)
    expect(out).toMatch(/\n\d+ ok, \d+ warn, 0 fail, 0 unknown\n$/)
    expect(out).not.toContain('\u001b')
  })

  it('says that a Redis that is full refuses writes', async () => {
    const full = await startRedis()
    try {
      await full.command('CONFIG', 'SET', 'maxmemory', '100kb')
      const found = await doctor(full.url)
      expect([found.code, found.level('memory'), found.level('scripts')]).toEqual([1, 'fail', 'fail'])
      expect(found.told.instances[0]?.findings.find(({ check }) => check === 'memory')?.change).toContain(
        'volatile-lru',
      )
    } finally {
      await full.stop()
    }
  })

  it('warns of a Redis without a bound, which --strict makes a failure', async () => {
    const boundless = await startRedis()
    try {
      const found = await doctor(boundless.url)
      expect([found.code, found.level('memory')]).toEqual([0, 'warn'])
      expect((await doctor(boundless.url, '--strict')).code).toBe(1)
    } finally {
      await boundless.stop()
    }
  })

  it('says which right is missing for scripts', async () => {
    await allow('unscripted', '~*', '&*', '+@all', '-@scripting')
    const found = await doctor(as('unscripted'))
    expect([found.code, found.level('scripts'), found.level('messages')]).toEqual([1, 'fail', 'ok'])
    expect(JSON.stringify(found.told)).toContain('+@scripting')
  })

  it('says which right is missing for messages', async () => {
    await allow('deaf', '~*', 'resetchannels', '+@all')
    const found = await doctor(as('deaf'))
    expect([found.code, found.level('scripts'), found.level('messages')]).toEqual([1, 'ok', 'fail'])
    expect(JSON.stringify(found.told)).toContain('&herdlock:inbox:*')
  })

  it('says that a second connection is refused', async () => {
    const crowded = await startRedis()
    try {
      // One for the doctor, but none for messages.
      await crowded.command('CONFIG', 'SET', 'maxclients', 1)
      const found = await doctor(crowded.url)
      expect([found.code, found.level('entries'), found.level('messages')]).toEqual([1, 'ok', 'fail'])
      expect(JSON.stringify(found.told)).toContain('raise maxclients')
    } finally {
      await crowded.stop()
    }
  })

  it('listens where the clients of that database do', async () => {
    await allow('hearing', '~*', '+@all', '&herdlock:inbox:*', '&herdlock:backplane::3')
    const found = await doctor(`${as('hearing')}/3`)
    expect(found.level('messages')).toBe('ok')
    expect((await doctor(as('hearing'))).level('messages')).toBe('fail')
  })

  it('goes on where it may not read: no more than what the docs ask for is needed', async () => {
    const commands = 'get set del pttl pexpire sadd smembers time publish zpopmin mget subscribe scan unlink'
    const rights = ['+@scripting', ...commands.split(' ').map((name) => `+${name}`)]
    await allow('frugal', '~shop:*', '~herdlock:queue:*', '&shop:*', '&herdlock:inbox:*', ...rights)
    const found = await doctor(as('frugal'), '--prefix', 'shop')
    expect(found.code).toBe(0)
    expect(['version', 'role', 'memory', 'clients', 'latency'].map(found.level)).toEqual(Array(5).fill('unknown'))
    expect(['scripts', 'entries', 'clearing', 'messages'].map(found.level)).toEqual(Array(4).fill('ok'))
  })

  it('refuses a replica, and tells where the master is', async () => {
    const replica = await startRedis({ args: ['--replicaof', redis.host, String(redis.port)] })
    try {
      await eventually('it follows', async () =>
        String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
      )
      const found = await doctor(replica.url)
      expect([found.code, found.level('role'), found.level('messages')]).toEqual([1, 'fail', 'ok'])
      expect(JSON.stringify(found.told)).toContain(`a replica of ${redis.host}:${redis.port}`)
    } finally {
      await replica.stop()
    }
  })

  it('ends in time on a Redis that is frozen', async () => {
    const frozen = await startRedis()
    try {
      frozen.pause()
      const found = await doctor(frozen.url, '--timeout', '300')
      expect([found.code, levels(found)]).toEqual([3, ['answer fail']])
      expect(JSON.stringify(found.told)).toContain('did not answer within 300 ms')
    } finally {
      await frozen.stop()
    }
  })

  it('ends in time on a server that speaks no TLS', async () => {
    const found = await doctor(redis.url.replace('redis:', 'rediss:'), '--timeout', '500')
    expect([found.code, levels(found)]).toEqual([3, ['answer fail']])
  })

  it('ends in time on a server that falls silent in between', async () => {
    const server = await silentAfter(4)
    try {
      const { port } = server.address() as { port: number }
      const found = await doctor(`redis://127.0.0.1:${port}`, '--timeout', '300')
      expect(found.code).toBe(3)
      expect(found.level('answer')).toBe('fail')
    } finally {
      server.close()
    }
  })

  it('says so when nothing listens', async () => {
    const found = await doctor(`redis://127.0.0.1:${await freePort()}`)
    expect([found.code, levels(found)]).toEqual([3, ['answer fail']])
  })

  it('tells a wrong password and a missing one from a Redis that is away', async () => {
    const guarded = await startRedis({ password: PASSWORD })
    try {
      const address = `${guarded.host}:${guarded.port}`
      for (const url of [`redis://${address}`, `redis://:wrong@${address}`, `redis://ada:${SECRET}x@${address}`]) {
        const found = await doctor(url)
        expect([found.code, levels(found)]).toEqual([1, ['login fail']])
      }
      expect((await doctor(guarded.url)).code).toBe(0)
    } finally {
      await guarded.stop()
    }
  })

  it('never prints a password', async () => {
    const wrong = `redis://ada:wr${SECRET}@${redis.host}:${redis.port}`
    const printed: Answered[] = [
      await herdlock(['doctor', as('unscripted')]),
      await herdlock(['doctor', as('unscripted'), '--json']),
      await herdlock(['doctor', wrong]),
      await herdlock(['inspect', wrong]),
      await herdlock(['doctor', `http://ada:${SECRET}@localhost`]),
      await herdlock(['doctor', `redis://ada:${SECRET}@localhost/${SECRET}`]),
    ]
    expect(printed.filter(({ out, err }) => /sesame/.test(out + err))).toEqual([])
  })

  it('finds one Redis under two names', async () => {
    const { code, told } = await doctor(redis.url, redis.url.replace('127.0.0.1', 'localhost'))
    expect(code).toBe(1)
    expect(told.instances[1]?.findings[0]).toMatchObject({ check: 'instance', level: 'fail' })
  })

  it('examines every master of a Cluster by way of any node', async () => {
    const cluster = await startCluster()
    try {
      const found = await doctor(cluster.nodes[4]?.url ?? '')
      const hosts = (await cluster.masters()).map(({ host, port }) => `${host}:${port} (Cluster)`)
      expect(found.told.instances.map(({ instance }) => instance).sort()).toEqual(hosts.sort())
      expect(levels(found).filter((line) => !/ ok$|^memory warn|^latency/.test(line))).toEqual([])
      expect(levels(found).filter((line) => line === 'cluster ok')).toHaveLength(3)
      const ofShards = (told: Told) =>
        told.instances.map(({ findings }) => findings.find(({ check }) => check === 'shards'))
      expect(ofShards(found.told).map((finding) => finding?.said)).toEqual(
        Array.from({ length: 3 }, () => 'results of refills go to the nodes of one shard'),
      )
      expect(found.code).toBe(0)

      const rules = ['on', `>${PASSWORD}`, '~*', '&*', '+@all', '-spublish']
      for (const { command } of await cluster.masters()) await command('ACL', 'SETUSER', 'classic', 'reset', ...rules)
      const { host, port } = cluster.nodes[0] as RedisServer
      const limited = await doctor(`redis://classic:${SECRET}@${host}:${port}`)
      for (const finding of ofShards(limited.told)) {
        expect(finding).toMatchObject({ level: 'warn', change: 'ACL SETUSER <user> +ssubscribe +spublish' })
      }

      await cluster.nodes[0]?.kill()
      expect((await doctor(cluster.nodes[1]?.url ?? '')).code).toBe(3)
    } finally {
      await cluster.stop()
    }
  }, 60_000)
})

describe('herdlock', () => {
  it('helps', async () => {
    expect((await herdlock(['--help'])).out).toContain('herdlock doctor')
    expect((await herdlock(['--version'])).out).toMatch(/^\d+\.\d+\.\d+(-rc\.\d+)?\n$/)
  })

  it('ends with 2 when it is misused', async () => {
    const { code, out, err } = await herdlock(['doctor', '--nonsense'])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('--nonsense')
  })
})

/** A server that greets like a Redis, refuses so many further commands, and answers no more. */
async function silentAfter(answers: number): Promise<Server> {
  const server = createServer((socket: Socket) => {
    let left = answers
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const isGreeting = /client|hello/i.test(chunk.toString())
      if (isGreeting || left-- > 0)
        socket.write('-NOPERM not allowed\r\n'.repeat(chunk.toString().split('*').length - 1))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
