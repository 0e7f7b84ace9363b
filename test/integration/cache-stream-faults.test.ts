import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ProducerLostError } from '../../src/errors.ts'
import { cacheLab, settled, warmCaches, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { connectedClients } from '../support/leaks.ts'
import { iterate, rest, shareStream, unused } from '../support/read-stream.ts'
import { startStreamProcesses, type StreamProcess, type Told } from '../support/stream-process.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { toldProducer } from '../support/told-producer.ts'

const lab = cacheLab()
const SHORT = { lockTtl: 500, commandTimeout: 200 }
/** What goes on until somebody ends it. */
const ENDLESS = { count: 1e9, every: 10 }

/**
 * The history of one reader: its chunks are those of the producers named, in their order, each from where the one before has
 * ended; none is missing, none is there twice.
 */
function expectHistory({ chunks }: Told, producers: readonly StreamProcess[]): void {
  const parts = chunks.map((chunk) => chunk.split(':').map(Number))
  expect(parts.map(([, number]) => number)).toEqual(parts.map((_, index) => index))
  const order = parts.map(([pid]) => producers.findIndex((each) => each.pid === pid))
  expect(order).toEqual(order.toSorted((a, b) => a - b))
  expect(new Set(order)).toEqual(new Set(producers.keys()))
}

describe('the process of the producer is killed', () => {
  test('who has had nothing follows the next producer; who has had something is told so', async () => {
    const [one, two, three] = await startStreamProcesses(lab, 3, SHORT)
    const plan = { count: 5, every: 10 }
    one.read({ ...ENDLESS, isSilent: true, key: 'silent' })
    await one.next('producing')
    const waiting = two.read({ ...plan, key: 'silent' })
    const first = one.read(ENDLESS)
    await first.next()
    const begun = two.read(plan)
    expect(await begun.next()).toBe(`${one.pid}:0`)
    await one.kill()
    expect((await begun.end()).error).toBe('ProducerLostError')
    expectHistory(await waiting.end(), [two])
    const told = await three.read(plan).end()
    expectHistory(told, [told.chunks[0]?.startsWith(String(two.pid)) ? two : three])
    expect(told.chunks).toHaveLength(5)
  })

  test('with resume another goes on behind what was published, and the whole is stored', async () => {
    const [one, two, three] = await startStreamProcesses(lab, 3, SHORT)
    const options = { onProducerLost: 'resume', tags: ['tag'] } as const
    const first = one.read(ENDLESS, options)
    for (let i = 0; i <= 5; i++) expect(await first.next()).toBe(`${one.pid}:${i}`)
    const plan = { count: 60, every: 10 }
    const readers = [two, three, two].map((each) => each.read(plan, options))
    for (const reader of readers) await reader.next()
    await one.kill()
    const [told, ...others] = await Promise.all(readers.map((reader) => reader.end()))
    const next = told?.chunks.at(-1)?.startsWith(String(two.pid)) ? two : three
    const { resumeFrom } = await next.next('producing')
    expect(told?.chunks.findIndex((chunk) => chunk.startsWith(String(next.pid)))).toBe(resumeFrom)
    expectHistory(told as Told, [one, next])
    for (const other of others) expect(other).toEqual(told)
    expect(told?.chunks).toHaveLength(60)
    const cache = lab.cache()
    expect(await eventually('it is stored', () => cache.get('key'))).toEqual(told?.chunks)
  })
})

test('the process of the producer is stopped: another resumes, and the first appends nothing when it goes on', async () => {
  const [one, two] = await startStreamProcesses(lab, 2, SHORT)
  const options = { onProducerLost: 'resume' } as const
  const own = one.read({ count: 80, every: 10 }, options)
  await own.next()
  const other = two.read({ count: 100, every: 10 }, options)
  await other.next()
  one.pause()
  await two.next('producing')
  one.resume()
  const [zombie, told] = await Promise.all([own.end(), other.end()])
  expectHistory(told, [one, two])
  expect(told.chunks).toHaveLength(100)
  expectHistory(zombie, [one]) // its own readers go on
  expect(zombie.chunks).toHaveLength(80)
  const cache = lab.cache()
  expect(await eventually('it is stored', () => cache.get('key'))).toEqual(told.chunks)
})

test('the last reader beside the producer leaves while Redis is out of reach: nobody waits for what does not come', async () => {
  const proxy = await startProxy(lab.redis)
  lab.atEnd(() => proxy.close())
  const [one, two] = [lab.cache(SHORT, `redis://${proxy.host}:${proxy.port}`), lab.cache(SHORT)]
  await warmUp(lab.redis, one, two)
  const { told, own, other } = await shareStream(one, two)
  await two.invalidate('key') // from here on it does without its lease
  proxy.pause()
  await own.return?.()
  await eventually('the producer is stopped', () => told.aborted.length === 1)
  proxy.resume()
  await expect(rest(other)).rejects.toThrow(ProducerLostError)
})

test('a process that is killed reads no more: the producer is aborted', async () => {
  const [reading] = await startStreamProcesses(lab, 1, SHORT)
  const cache = lab.cache(SHORT)
  await warmUp(lab.redis, cache)
  const told = toldProducer<string>()
  const own = iterate(cache, told.producer)
  told.say('0:0')
  await own.next()
  const other = reading.read({ count: 0, every: 0 })
  expect(await other.next()).toBe('0:0')
  await own.return?.()
  told.say('0:1')
  expect(await other.next()).toBe('0:1')
  expect(told.aborted).toEqual([])
  await reading.kill()
  for (let i = 2; told.aborted.length === 0; i++) {
    told.say(`0:${i}`)
    await delay(20)
  }
  expect(told.aborted).toMatchObject([{ name: 'AbortError' }])
})

test('Redis is frozen: readers beside the producer go on, others get a producer of their own, and are told so', async () => {
  const [one, two] = await warmCaches(lab, SHORT)
  const { told, own, other: begun } = await shareStream(one, two)
  const substitute = toldProducer<string>()
  const late = iterate(two, substitute.producer)
  lab.redis.pause()
  told.say('b')
  expect(await own.next()).toEqual({ done: false, value: 'b' })
  await expect(rest(begun)).rejects.toThrow(ProducerLostError)
  substitute.say('x')
  substitute.end()
  expect(await rest(late)).toEqual(['x'])
  lab.redis.resume()
  told.say('c')
  told.end()
  expect(await rest(own)).toEqual(['c'])
  await Promise.all([one, two].map(settled))
})

test('Redis is restarted, and has lost all: nobody waits for ever, nobody gets a chunk twice', async () => {
  const [one, two] = await warmCaches(lab, SHORT)
  const told = toldProducer<string>()
  const own = iterate(one, told.producer)
  const other = iterate(two, told.producer)
  told.say('a')
  for (const each of [own, other]) await each.next()
  await lab.redis.restart()
  told.say('b')
  told.end()
  expect(await rest(own)).toEqual(['b'])
  await expect(rest(other)).rejects.toThrow(ProducerLostError)
  expect(await rest(iterate(two, told.producer))).toEqual(['a', 'b'])
})

test('messages are lost: what is missing is read', async () => {
  const [one, two] = await warmCaches(lab, SHORT)
  const told = toldProducer<number>()
  const own = iterate(one, told.producer)
  const chunks = Array.from({ length: 60 }, (_, i) => i)
  const numbers: number[] = []
  let other: Promise<number[]> | undefined
  for (const chunk of chunks) {
    if (chunk % 20 === 10) await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    told.say(chunk)
    numbers.push((await own.next()).value as number)
    other ??= rest(iterate(two, unused))
    await delay(5)
  }
  told.end()
  expect(numbers).toEqual(chunks)
  expect(await other).toEqual(chunks)
})

test('a reader reconnects: it goes on where it was, or is told that it cannot', async () => {
  const proxy = await startProxy(lab.redis)
  lab.atEnd(() => proxy.close())
  const [one, two] = [lab.cache(), lab.cache({}, `redis://${proxy.host}:${proxy.port}`)]
  await warmUp(lab.redis, one, two)
  const { told, own, other } = await shareStream(one, two)
  const read: string[] = []
  const reading = (async () => {
    for await (const chunk of { [Symbol.asyncIterator]: () => other }) read.push(chunk)
    return 'whole'
  })().catch((error: unknown) => error)
  const said = Array.from({ length: 40 }, (_, i) => String(i))
  for (const [i, chunk] of said.entries()) {
    if (i % 10 === 0) proxy.reset()
    told.say(chunk)
    expect((await own.next()).value).toBe(chunk)
  }
  await Promise.race([reading, eventually('it has read all', () => read.length === said.length)])
  told.end()
  const outcome = await reading
  expect(read).toEqual(said.slice(0, read.length))
  expect([
    ['whole', said.length],
    [expect.any(ProducerLostError), expect.any(Number)],
  ]).toContainEqual([outcome, read.length])
})

test('a slow reader gets all, from Redis, also when the stream has ended; the others do not wait', async () => {
  const [one, two] = await warmCaches(lab, { ...SHORT, memory: false })
  const told = toldProducer<string>()
  const slow = iterate(two, told.producer)
  const chunks = Array.from({ length: 100 }, (_, i) => String(i).padStart(20_000, ' '))
  told.say(chunks[0] as string)
  await slow.next()
  told.say(...chunks.slice(1))
  told.end()
  expect(await rest(iterate(one, unused))).toEqual(chunks)
  expect(await rest(iterate(two, unused))).toEqual(chunks)
  await one.invalidate('key')
  await Promise.all([one, two].map(settled))
  expect(await rest(slow)).toEqual(chunks.slice(1))
})

test('a reader that leaves costs nothing: what it was registered for is gone, as are messages to its process', async () => {
  const [one, two] = await warmCaches(lab, SHORT)
  const { told, own, other } = await shareStream(one, two)
  const readers = async (): Promise<unknown[]> => {
    const keys = (await lab.keys()).filter((key) => key.endsWith(':readers'))
    return keys
  }
  expect(await readers()).toHaveLength(1)
  await other.return?.()
  await eventually('it is not registered any more', async () => (await readers()).length === 0, { every: 2 })
  told.end()
  expect(await rest(own)).toEqual([])
  expect((await connectedClients(lab.redis)).length).toBeLessThanOrEqual(4)
})
