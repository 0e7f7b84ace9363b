import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type RedisServer } from '../../support/redis-server.ts'
import { connectResp, type RespClient } from '../../support/resp.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'

const isSet = (words: readonly string[]): boolean => words[0] === 'SET'

describe('TcpProxy', () => {
  const key = 'key'
  let redis: RedisServer
  let proxy: TcpProxy
  let client: RespClient

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  beforeEach(async () => {
    proxy = await startProxy(redis)
    client = await connectResp(proxy)
  })
  afterEach(async () => {
    client.close()
    await proxy.close()
  })

  it('carries commands and replies of any size, and counts them', async () => {
    const value = 'x'.repeat(1_000_000)
    expect(await client.command('SET', key, value, 'PX', 10_000)).toBe('OK')
    expect(await client.command('GET', key)).toBe(value)
    expect(proxy.commands().map((words) => words[0])).toEqual(expect.arrayContaining(['SET', 'GET']))
    expect(proxy.connections()).toHaveLength(1)
  })

  it('delays each way', async () => {
    proxy.delay(40)
    const start = performance.now()
    await client.command('PING')
    expect(performance.now() - start).toBeGreaterThanOrEqual(79)
  })

  it('keeps the order of replies when the delay shrinks', async () => {
    proxy.delay(40)
    const first = client.command('ECHO', 'first')
    proxy.delay(0)
    const second = client.command('ECHO', 'second')
    expect(await Promise.all([first, second])).toEqual(['first', 'second'])
  })

  it('is a black hole while paused and loses nothing', async () => {
    proxy.pause()
    const reply = client.command('ECHO', 'held back')
    // Another way to Redis, longer than this one: were the hole not black, the reply would be here after it.
    await redis.command('PING')
    expect(proxy.commands().map(String)).not.toContain('ECHO,held back')
    proxy.resume()
    expect(await reply).toBe('held back')
  })

  it('is a black hole for connections opened while paused', async () => {
    proxy.pause()
    const late = await connectResp(proxy)
    const reply = late.command('ECHO', 'late')
    await redis.command('PING')
    expect(proxy.commands().map(String)).not.toContain('ECHO,late')
    proxy.resume()
    await expect(reply).resolves.toBe('late')
    late.close()
  })

  it('loses a reply after Redis has run the command', async () => {
    const reset = proxy.loseReplies(1, isSet)
    expect(await client.command('PING')).toBe('PONG')
    await expect(client.command('SET', key, 'value', 'PX', 10_000)).rejects.toThrow('ECONNRESET')
    await reset
    expect(await redis.command('GET', key)).toBe('value')
  })

  it('lets nothing pass behind a lost reply, which would be taken for it', async () => {
    const reset = proxy.loseReplies(1, isSet)
    const commands = [client.command('SET', key, 'value', 'PX', 10_000), client.command('ECHO', 'another')]
    for (const command of commands) await expect(command).rejects.toThrow('ECONNRESET')
    await reset
  })

  it('holds replies while commands are carried out, from the start or behind some', async () => {
    proxy.holdReplies()
    const held = client.command('SET', key, 'held', 'PX', 10_000)
    await eventually('it is carried out', async () => (await redis.command('GET', key)) === 'held')
    proxy.resume()
    expect(await held).toBe('OK')
    const passed = proxy.holdAfterReplies(1)
    const commands = [client.command('ECHO', 'one'), client.command('SET', key, 'behind', 'PX', 10_000)]
    expect(await commands[0]).toBe('one')
    await passed
    await eventually('it is carried out', async () => (await redis.command('GET', key)) === 'behind')
    proxy.resume()
    expect(await commands[1]).toBe('OK')
  })

  it('resets after replies that have passed', async () => {
    const reset = proxy.resetAfterReplies(2)
    expect(await client.command('ECHO', 'one')).toBe('one')
    expect(await client.command('ECHO', 'two')).toBe('two')
    await reset
    await expect(client.command('ECHO', 'three')).rejects.toThrow()
  })

  it('truncates a reply', async () => {
    let received = ''
    client.socket.on('data', (chunk) => (received += chunk.toString()))
    const reset = proxy.truncateReply(3)
    await expect(client.command('ECHO', 'a longer reply')).rejects.toThrow()
    await reset
    expect(received).toBe('$14')
  })

  it('does not take messages for replies', async () => {
    await client.command('SUBSCRIBE', key)
    const lost = proxy.loseReplies(1, (words) => words[0] === 'PING')
    await redis.command('PUBLISH', key, 'message')
    expect(await client.next()).toEqual(['message', key, 'message'])
    await expect(client.command('PING')).rejects.toThrow('ECONNRESET')
    await lost
  })

  it('refuses new connections, keeps open ones, and accepts again', async () => {
    await proxy.refuse()
    await expect(connectResp(proxy)).rejects.toThrow('ECONNREFUSED')
    expect(await client.command('PING')).toBe('PONG')
    await proxy.accept()
    const again = await connectResp(proxy)
    again.close()
  })

  it('resets every connection', async () => {
    const reply = client.command('BLPOP', 'a list', 10)
    await expect.poll(() => proxy.commands().map((words) => words[0])).toContain('BLPOP')
    proxy.reset()
    await expect(reply).rejects.toThrow('ECONNRESET')
  })
})
