import { expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { connectResp, type Reply } from '../support/resp.ts'

const lab = cacheLab()

const MB = 1024 * 1024
/** Other processes that wait, as far as Redis can tell. */
const FOREIGN = 200

/** Adds `FOREIGN` waiters to those of the key, and takes down what they are told. */
async function addWaiters(key: string): Promise<{ messages: string[] }> {
  const listener = await connectResp(lab.redis)
  lab.atEnd(async () => listener.close())
  await listener.command('PSUBSCRIBE', 'herdlock:inbox:foreign-*')
  const inboxes = Array.from({ length: FOREIGN }, (_, n) => `foreign-${n}`)
  await lab.redis.command('SADD', `${lab.prefix}:{${key}}:waiters`, ...inboxes)
  const messages: string[] = []
  const read = (message: Reply): void => {
    messages.push(String((message as Reply[])[3]))
    listener.next().then(read, () => {})
  }
  listener.next().then(read, () => {})
  return { messages }
}

/** What a message says after its topic. */
function payloadOf(message: string): string {
  const [head = '', length] = /^(\d+):/.exec(message) ?? []
  return message.slice(head.length + Number(length))
}

async function herdOn(value: string, waiting: readonly Cache[], leader: Cache): Promise<{ messages: string[] }> {
  const load = gatedLoad<string>()
  const led = leader.getOrRefill('key', load.loader)
  await load.started
  const { messages } = await addWaiters('key')
  const answers = waiting.map((cache) => cache.getOrRefill('key', () => 'loaded once more'))
  const registered = async (): Promise<boolean> =>
    Number(await lab.redis.command('SCARD', `${lab.prefix}:{key}:waiters`)) === FOREIGN + waiting.length
  await eventually('they wait', registered)
  load.gate.resolve(value)
  expect(await led).toBe(value)
  expect(new Set(await Promise.all(answers))).toEqual(new Set([value]))
  await Promise.all([leader, ...waiting].map(settled))
  await eventually('all were told', () => messages.length === FOREIGN)
  return { messages }
}

test.each([
  ['that fits in a message', 60 * 1024],
  ['that does not', 200 * 1024],
])('a value %s, for very many, is sent in part, and the rest looks, spread over some time', async (_what, size) => {
  const leader = lab.cache({ memory: false })
  const waiting = Array.from({ length: 5 }, () => lab.cache({ memory: false }))
  await warmUp(lab.redis, leader, ...waiting)
  const { messages } = await herdOn('v'.repeat(size), waiting, leader)
  const payloads = messages.map(payloadOf)
  const values = payloads.filter((payload) => payload.length > 100)
  const looks = payloads.filter((payload) => payload.length <= 100)
  expect(values.length * size).toBeLessThanOrEqual(4 * MB)
  expect(values.length > 0).toBe(size < 64 * 1024)
  expect(new Set(looks).size).toBe(1)
  // The first letter is what processes of earlier releases read; the number, ms, is for those that know of it.
  const [, within] = /^a(\d+)$/.exec(looks[0] as string) ?? []
  const excess = (FOREIGN + waiting.length) * size - 4 * MB
  expect(Number(within)).toBeGreaterThan((excess / 1024 / 200) * 0.9)
  expect(Number(within)).toBeLessThan((excess / 1024 / 200) * 1.2)
  expect(lab.errors).toEqual([])
})

test('a value that very many can be sent is sent to all', async () => {
  const leader = lab.cache()
  const waiting = [lab.cache(), lab.cache()]
  await warmUp(lab.redis, leader, ...waiting)
  const { messages } = await herdOn('v'.repeat(10 * 1024), waiting, leader)
  expect(messages.every((message) => message.length > 10 * 1024)).toBe(true)
})

test('one that is not to be stored is sent to all: nobody would find it', async () => {
  const leader = lab.cache()
  const value = 'v'.repeat(60 * 1024)
  await warmUp(lab.redis, leader)
  const load = gatedLoad<string>()
  const led = leader.getOrRefill('key', (context) => {
    context.doNotStore()
    return load.loader(context)
  })
  await load.started
  const { messages } = await addWaiters('key')
  load.gate.resolve(value)
  await led
  await eventually('all were told', () => messages.length === FOREIGN)
  expect(messages.every((message) => message.length > value.length)).toBe(true)
})

test('who is to look after longer than it may wait, looks before', async () => {
  const leader = lab.cache({ memory: false })
  const waiter = lab.cache({ memory: false, waitTimeout: 2000 })
  await warmUp(lab.redis, leader, waiter)
  const load = gatedLoad<string>()
  const led = leader.getOrRefill('key', load.loader)
  await load.started
  const waited = waiter.getOrRefill('key', () => 'loaded once more')
  const waiters = `${lab.prefix}:{key}:waiters`
  await eventually('it waits', async () => Number(await lab.redis.command('SCARD', waiters)) === 1)
  // As the message of a leader that has very many to tell, and has stored the value.
  const [inbox] = (await lab.redis.command('SMEMBERS', waiters)) as [string]
  const token = String(await lab.redis.command('GET', `${lab.prefix}:{key}:lease`))
  const topic = `${lab.prefix}:{key}${token}`
  await lab.redis.command('DEL', waiters)
  load.gate.resolve('led')
  await led
  await settled(leader)
  await lab.redis.command('PUBLISH', `herdlock:inbox:${inbox}`, `${topic.length}:${topic}a600000`)
  expect(await waited).toBe('led')
})
