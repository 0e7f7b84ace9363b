import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NEST_12 } from '../compatibility/versions.ts'
import { fromRegistry } from '../support/from-registry.ts'
import { type Consumer, installed, pack, type Packed } from './packed.ts'

const TIMEOUT = 120_000

describe('herdlock/nestjs in a project with Nest 12', { timeout: TIMEOUT }, () => {
  let packed: Packed
  let consumer: Consumer

  beforeAll(async () => {
    packed = await pack()
    consumer = await installed(packed.tarball, { borrowed: [] })
  }, TIMEOUT)
  afterAll(async () => {
    await consumer?.remove()
    await packed?.remove()
  })

  it.each(['express', 'fastify'] as const)('keeps its promises on %s', async (platform) => {
    const adapter = `@nestjs/platform-${platform}`
    const nodes = await fromRegistry(adapter, NEST_12[platform])
    for (const name of ['@nestjs/common', '@nestjs/core', adapter, 'reflect-metadata']) {
      await consumer.use(name, join(nodes, name))
    }
    const user = '{"id":"1","query":1}'
    expect(JSON.parse(await consumer.node('nest.mjs', platform))).toEqual({
      bodies: [`200 ${user}`],
      hit: [200, user, 'hit'],
      refused: 403,
      runs: 1,
      queries: 1,
      afterwards: 'ClosedError',
    })
  })
})
