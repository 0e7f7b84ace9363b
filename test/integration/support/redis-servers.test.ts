import { describe, expect, it, onTestFinished } from 'vitest'
import { startCluster } from '../../support/redis-cluster.ts'
import { startSentinel } from '../../support/redis-sentinel.ts'
import { startRedis } from '../../support/redis-server.ts'
import { sharedRedis, uniquePrefix } from '../../support/shared-redis.ts'

describe('startRedis', () => {
  it('starts an empty server that answers', async () => {
    const server = await startRedis()
    onTestFinished(() => server.stop())

    expect(await server.command('PING')).toBe('PONG')
    expect(await server.command('DBSIZE')).toBe(0)
  })

  it('asks for the password', async () => {
    const server = await startRedis({ password: 'p@ss word' })
    onTestFinished(() => server.stop())

    expect(await server.command('PING')).toBe('PONG')
    expect(server.url).toBe(`redis://:p%40ss%20word@127.0.0.1:${server.port}`)
  })

  it('answers nothing while paused, and then all of it', async () => {
    const server = await startRedis()
    onTestFinished(() => server.stop())
    server.pause()

    let answered = false
    const reply = server.command('PING').finally(() => (answered = true))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(answered).toBe(false)

    server.resume()
    expect(await reply).toBe('PONG')
  })

  it('refuses connections once killed and comes back empty on the same port', async () => {
    const server = await startRedis()
    onTestFinished(() => server.stop())
    await server.command('SET', 'key', 'value')

    await server.kill()
    await expect(server.command('PING')).rejects.toThrow('ECONNREFUSED')

    await server.restart()
    expect(await server.command('GET', 'key')).toBe(null)
  })
})

describe('sharedRedis', () => {
  it('is one server for everybody, told apart by prefix', async () => {
    const redis = sharedRedis()
    const key = `${uniquePrefix()}key`

    expect(await redis.command('SET', key, 'value', 'PX', 10_000)).toBe('OK')
    expect(await redis.command('GET', key)).toBe('value')
  })
})

describe('startCluster', () => {
  it('starts three masters that share the slots', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())

    expect(await cluster.masters()).toHaveLength(3)
    const owner = await cluster.masterOf('some key')
    expect(await owner.command('SET', 'some key', 'value')).toBe('OK')
  })
})

describe('startSentinel', () => {
  it('promotes a replica when the master is killed', async () => {
    const sentinel = await startSentinel()
    onTestFinished(() => sentinel.stop())
    const before = await sentinel.master()
    expect(before.port).toBe(sentinel.servers[0]?.port)

    await before.kill()
    await expect.poll(async () => (await sentinel.master()).port, { timeout: 15_000 }).not.toBe(before.port)
    const after = await sentinel.master()
    expect(String(await after.command('ROLE'))).toMatch(/^master/)
  })
})
