import { describe, expect, it } from 'vitest'
import { channelOf, labelOf, listClients, type RedisClient } from '../../../src/redis/client.ts'

/** The shape of a client, for what looks at shapes only. */
const shape = (options: object = {}, isCluster = false): RedisClient =>
  ({ options, isCluster, createBuiltinCommand: () => {}, duplicate: () => {} }) as unknown as RedisClient

describe('listClients', () => {
  it('takes one client or several', () => {
    const [one, other] = [shape(), shape()]
    expect(listClients('redis', one)).toEqual([one])
    expect(listClients('redis', [one, other])).toEqual([one, other])
  })

  it('does not hand out the array of the caller, who may change it', () => {
    const given = [shape()]
    expect(listClients('redis', given)).not.toBe(given)
  })

  it.each([
    ['no client', []],
    ['one client twice', [shape()].flatMap((client) => [client, client])],
  ])('refuses %s with a RangeError that names the option', (_what, clients) => {
    expect(() => listClients('redis', clients)).toThrow(expect.objectContaining({ name: 'RangeError' }))
    expect(() => listClients('redis', clients)).toThrow(/^redis must/)
  })

  it.each(['{', 'a{b', '{}', 'a{}b'])('refuses a Cluster whose keyPrefix %j would tear keys apart', (keyPrefix) => {
    expect(() => listClients('redis', shape({ keyPrefix }, true))).toThrow(
      /^keyPrefix of redis must be without an opening brace/,
    )
    expect(listClients('redis', shape({ keyPrefix }))).toHaveLength(1)
    expect(listClients('redis', shape({ keyPrefix: '{a}b' }, true))).toHaveLength(1)
  })

  it.each([undefined, null, 7, 'redis://localhost', {}, () => {}])('refuses %o with a TypeError', (stranger) => {
    expect(() => listClients('redis', stranger as unknown as RedisClient)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        message: expect.stringMatching(/^redis must be an ioredis/) as string,
      }),
    )
    expect(() => listClients('redis', [shape(), stranger as unknown as RedisClient])).toThrow(TypeError)
  })
})

describe('labelOf', () => {
  it.each([
    [{ host: 'db', port: 6380, username: 'ada', password: 'secret' }, 'redis db:6380'],
    [{ path: '/run/redis.sock', password: 'secret' }, 'redis /run/redis.sock'],
    [{ sentinels: [{ host: 's', port: 26379 }], name: 'main', sentinelPassword: 'secret' }, 'redis sentinel main'],
  ])('says where %j is and not how to get in', (options, label) => {
    expect(labelOf(shape(options))).toBe(label)
  })

  it('calls a Cluster a Cluster', () => {
    expect(labelOf(shape({ redisOptions: { password: 'secret' } }, true))).toBe('redis cluster')
  })
})

describe('channelOf', () => {
  it('is the name itself in database 0 without a keyPrefix, as of old', () => {
    expect(channelOf(shape(), 'a:backplane')).toBe('a:backplane')
    expect(channelOf(shape({ db: 0, keyPrefix: '' }), 'a:backplane')).toBe('a:backplane')
  })

  it('is another for every other database and keyPrefix, and begins with the name all the same', () => {
    const others = [{ db: 1 }, { db: 11 }, { keyPrefix: '1' }, { keyPrefix: '1:', db: 1 }, { keyPrefix: ':backplane' }]
    const channels = others.map((options) => channelOf(shape(options), 'a:backplane'))
    expect(new Set([...channels, 'a:backplane']).size).toBe(others.length + 1)
    for (const channel of channels) expect(channel).toMatch(/^a:backplane:/)
  })

  it('can be made whatever the keyPrefix is', () => {
    expect(channelOf(shape({ keyPrefix: '\ud800' }), 'a')).toBe('a:%EF%BF%BD:0')
    expect(channelOf(shape({ keyPrefix: Buffer.from('app:') }), 'a')).toBe(channelOf(shape({ keyPrefix: 'app:' }), 'a'))
  })
})
