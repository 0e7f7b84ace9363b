import { describe, expect, it } from 'vitest'
import { channelOf } from '../../../../src/redis/client-port.ts'
import { IoredisPort } from '../../../../src/redis/clients/ioredis.ts'
import type { IoredisClient } from '../../../../src/redis/clients/ioredis-client.ts'
import { listPorts } from '../../../../src/redis/clients/port-of.ts'

/** The shape of a client, for what looks at shapes only. */
const shape = (options: object = {}, isCluster = false): IoredisClient =>
  ({ options, isCluster, createBuiltinCommand: () => {}, duplicate: () => {} }) as unknown as IoredisClient

describe('listPorts', () => {
  it('takes one client or several', () => {
    const [one, other] = [shape(), shape()]
    const [port] = listPorts('redis', one)
    expect(listPorts('redis', [one, other])).toHaveLength(2)
    // The same for all who share a client.
    expect(listPorts('redis', [other, one])[1]).toBe(port)
  })

  it('does not hand out the array of the caller, who may change it', () => {
    const given = [shape()]
    expect(listPorts('redis', given)).not.toBe(given)
  })

  it.each([
    ['no client', []],
    ['one client twice', [shape()].flatMap((client) => [client, client])],
  ])('refuses %s with a RangeError that names the option', (_what, clients) => {
    expect(() => listPorts('redis', clients)).toThrow(expect.objectContaining({ name: 'RangeError' }))
    expect(() => listPorts('redis', clients)).toThrow(/^redis must/)
  })

  it.each(['{', 'a{b', '{}', 'a{}b'])('refuses a Cluster whose keyPrefix %j would tear keys apart', (keyPrefix) => {
    expect(() => listPorts('redis', shape({ keyPrefix }, true))).toThrow(
      /^keyPrefix of redis must be without an opening brace/,
    )
    expect(listPorts('redis', shape({ keyPrefix }))).toHaveLength(1)
    expect(listPorts('redis', shape({ keyPrefix: '{a}b' }, true))).toHaveLength(1)
  })
})

describe('the label', () => {
  it.each([
    [{ host: 'db', port: 6380, username: 'ada', password: 'secret' }, 'redis db:6380'],
    [{ path: '/run/redis.sock', password: 'secret' }, 'redis /run/redis.sock'],
    [{ sentinels: [{ host: 's', port: 26379 }], name: 'main', sentinelPassword: 'secret' }, 'redis sentinel main'],
  ])('says where %j is and not how to get in', (options, label) => {
    expect(new IoredisPort(shape(options)).label).toBe(label)
  })

  it('calls a Cluster a Cluster', () => {
    expect(new IoredisPort(shape({ redisOptions: { password: 'secret' } }, true)).label).toBe('redis cluster')
  })
})

/** The name of a channel with these options of the client. */
const channel = (options: object, name: string): string => channelOf(new IoredisPort(shape(options)), name)

describe('channelOf', () => {
  it('is the name itself in database 0 without a keyPrefix, as of old', () => {
    expect(channel({}, 'a:backplane')).toBe('a:backplane')
    expect(channel({ db: 0, keyPrefix: '' }, 'a:backplane')).toBe('a:backplane')
  })

  it('is another for every other database and keyPrefix, and begins with the name all the same', () => {
    const others = [{ db: 1 }, { db: 11 }, { keyPrefix: '1' }, { keyPrefix: '1:', db: 1 }, { keyPrefix: ':backplane' }]
    const channels = others.map((options) => channel(options, 'a:backplane'))
    expect(new Set([...channels, 'a:backplane']).size).toBe(others.length + 1)
    for (const channel of channels) expect(channel).toMatch(/^a:backplane:/)
  })

  it('can be made whatever the keyPrefix is', () => {
    expect(channel({ keyPrefix: '\ud800' }, 'a')).toBe('a:%EF%BF%BD:0')
    expect(channel({ keyPrefix: Buffer.from('app:') }, 'a')).toBe(channel({ keyPrefix: 'app:' }, 'a'))
  })
})
