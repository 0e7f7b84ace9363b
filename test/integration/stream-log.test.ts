import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { systemRandom } from '../../src/random.ts'
import { IoredisPort } from '../../src/redis/clients/ioredis.ts'
import { Connection } from '../../src/redis/connection.ts'
import { Inboxes } from '../../src/redis/inboxes.ts'
import { writeChunk, writeEnd } from '../../src/stream/frames.ts'
import { StreamLog } from '../../src/stream/stream-log.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

/** The fences of a run, each by itself: in a whole cache one of them would hide another. */
let redis: Redis
let inboxes: Inboxes
let prefix: string
let logOf: (token: string) => StreamLog
beforeAll(() => {
  redis = new Redis(sharedRedis().url)
  const connection = new Connection(new IoredisPort(redis), systemClock, 1000)
  inboxes = new Inboxes(connection, systemClock, systemRandom)
  const parts = { clock: systemClock, connection, inboxes, lockTtl: 60_000 }
  logOf = (token) => new StreamLog({ ...parts, prefix, guard: (operation) => operation() }, 'key', token)
})
afterAll(() => {
  inboxes.close()
  redis.disconnect()
})
beforeEach(() => {
  prefix = uniquePrefix('log')
})

const frames = (...chunks: string[]): Buffer[] => chunks.map(writeChunk)
const lease = (token: string): Promise<unknown> => redis.set(`${prefix}:{key}:lease`, token, 'PX', 60_000)
const textsOf = async (log: StreamLog): Promise<string[]> =>
  (await log.read(0, undefined)).frames.map((frame) => frame.toString('utf8', 1))

async function begun(token = 'one'): Promise<StreamLog> {
  await lease(token)
  const log = logOf(token)
  expect(await log.begin('restart', 1)).toEqual({ head: { run: token, beganAt: 1, resumptions: [] }, chunks: 0 })
  expect(await log.append(0, frames('a', 'b'))).toBe(0)
  return log
}

test('a run begins under its lease alone, and once', async () => {
  await lease('other')
  expect(await logOf('one').begin('restart', 1)).toBeUndefined()
  const log = await begun()
  expect(await log.begin('restart', 2)).toEqual({ head: { run: 'one', beganAt: 1, resumptions: [] }, chunks: 2 })
})

test('what an earlier attempt has appended is not appended again', async () => {
  const log = await begun()
  expect(await log.append(0, frames('a', 'b', 'c'))).toBe(0)
  expect(await log.append(1, frames('b'))).toBe(0)
  expect(await textsOf(log)).toEqual(['a', 'b', 'c'])
})

test.each([
  ['whose lease is another’s', () => lease('two')],
  ['whose lease has run out', () => redis.del(`${prefix}:{key}:lease`)],
  ['that has shown no sign of life in time', () => redis.del(`${prefix}:stream:{key}:one:alive`)],
  ['whose log Redis has lost', () => redis.del(`${prefix}:stream:{key}:one`)],
])('a run %s appends nothing, then and later', async (_, lose) => {
  const log = await begun()
  await lose()
  expect(await log.append(2, frames('c'))).toBeUndefined()
  await lease('one')
  expect(await log.append(2, frames('c'))).toBeUndefined()
  expect(await textsOf(log)).not.toContain('c')
})

test('a run whose life has run out does not live again because its begin is sent twice', async () => {
  const log = await begun()
  await redis.del(`${prefix}:stream:{key}:one:alive`)
  expect(await log.begin('restart', 1)).toMatchObject({ chunks: 2 })
  expect(await log.append(2, frames('c'))).toBeUndefined()
  expect(await textsOf(log)).toEqual(['a', 'b'])
})

test('a run that a change has detached goes on without its lease', async () => {
  const log = await begun()
  await redis.del(`${prefix}:{key}:lease`, `${prefix}:{key}:stream`)
  expect(await log.append(2, frames('c'))).toBe(0)
  expect(await log.read(2, undefined)).toMatchObject({ isPresent: false, length: 3 })
  await begun('two')
  expect(await log.append(3, frames('d'))).toBe(0)
  expect(await textsOf(log)).toEqual(['a', 'b', 'c', 'd'])
})

test('to resume takes the chunks from whoever had them', async () => {
  const one = await begun()
  await lease('two')
  const two = logOf('two')
  const resumptions = [{ from: 2, by: 'two' }]
  expect(await two.begin('resume', 2)).toEqual({ head: { run: 'one', beganAt: 1, resumptions }, chunks: 2 })
  expect(await two.begin('resume', 2)).toMatchObject({ head: { resumptions } }) // sent twice
  expect(await one.append(2, frames('zombie'))).toBeUndefined()
  expect(await two.append(2, [...frames('c'), writeEnd({})], 'end')).toBe(0)
})

test('a whole stream that nobody reads elsewhere leaves nothing behind, one that somebody reads its log for a while', async () => {
  const log = await begun()
  await log.append(2, [writeEnd({})], 'end')
  expect(await redis.keys(`${prefix}*`)).toEqual([`${prefix}:{key}:lease`])
  const read = await begun()
  await logOf('one').read(0, { onMessage: () => {}, onReset: () => {} })
  await read.append(2, [writeEnd({})], 'end')
  expect(await read.read(0, undefined)).toMatchObject({ life: Infinity, length: 3 })
})
