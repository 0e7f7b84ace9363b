import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { ProducerLostError } from '../../src/errors.ts'
import { cacheLab, settled, warmUp } from '../support/cache-lab.ts'
import { rest, shareStream } from '../support/read-stream.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { toldProducer } from '../support/told-producer.ts'

/** A producer is cut off from Redis after a change: what comes of its stream then. */
const lab = cacheLab()
const SHORT = { lockTtl: 400, commandTimeout: 200 }
const RESUME = { onProducerLost: 'resume', tags: ['tag'] } as const
let proxy: TcpProxy
beforeEach(async () => {
  proxy = await startProxy(lab.redis)
})
afterEach(() => proxy.close())

/** A stream that has said `a`, produced in one cache and read in another one. */
async function running(): Promise<{ other: Cache; reader: AsyncIterator<string>; next: typeof next }> {
  const producing = lab.cache(SHORT, `redis://${proxy.host}:${proxy.port}`)
  const other = lab.cache(SHORT)
  await warmUp(lab.redis, producing, other)
  const next = toldProducer<string>()
  const { other: reader } = await shareStream(producing, other, RESUME, next.producer)
  return { other, reader, next }
}

test('what was resumed over a change of its tag is read to its end, and not stored', async () => {
  const { other, reader, next } = await running()
  await other.invalidateTags('tag')
  proxy.pause()
  next.say('a', 'b')
  next.end()
  expect(await rest(reader)).toEqual(['b'])
  expect(next.runs.map(({ resumeFrom }) => resumeFrom)).toEqual([1])
  await settled(other)
  expect(await lab.cache().get('key')).toBeUndefined()
})

test('what a change has detached from its entry is not resumed', async () => {
  const { other, reader, next } = await running()
  await other.invalidate('key')
  proxy.pause()
  next.say('new')
  next.end()
  await expect(rest(reader)).rejects.toThrow(ProducerLostError)
  const again = other.stream('key', next.producer, RESUME)
  expect(await rest(again[Symbol.asyncIterator]())).toEqual(['new'])
  expect(next.runs.every(({ resumeFrom }) => resumeFrom === 0)).toBe(true)
  await settled(other)
  expect(await lab.cache().get('key')).toEqual(['new'])
})
