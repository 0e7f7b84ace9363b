import { describe, expect, it } from 'vitest'
import { listPorts, type RedisClient } from '../../../../src/redis/clients/port-of.ts'

const method = (): void => {}

describe('what is no client', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'received undefined'],
    ['null', null, 'received null'],
    ['a URL', 'redis://localhost', 'received "redis://localhost"'],
    ['a class', method, 'received a function'],
    [
      'an object',
      {},
      'received an object without createBuiltinCommand() of ioredis, sendCommand() of node-redis or customCommand() of GLIDE',
    ],
    [
      'a wrapper of ioredis',
      { createBuiltinCommand: method },
      'received an object with createBuiltinCommand() of ioredis, but without duplicate()',
    ],
    [
      'a wrapper of node-redis',
      { sendCommand: method },
      'received an object with sendCommand() of node-redis, but without duplicate()',
    ],
    [
      'a wrapper of GLIDE',
      { customCommand: method },
      'received an object with customCommand() of GLIDE, but without close()',
    ],
    ['a client of GLIDE that is on its way', Promise.resolve(), 'received an object that is a promise: await it'],
  ])('%s is refused with a TypeError that says what is missing', (_what, stranger, received) => {
    const refused = expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(received) as string })
    for (const clients of [stranger, [stranger]]) {
      expect(() => listPorts('clients', clients as RedisClient)).toThrow(refused)
    }
    expect(() => listPorts('clients', stranger as RedisClient)).toThrow(
      /^clients must be a client of ioredis or iovalkey .* of node-redis .* or of GLIDE /,
    )
  })
})
