import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { onPublished } from '../support/published.ts'

const lab = cacheLab()

const KEYS = Array.from({ length: 100 }, (_, n) => `key ${n}`)
const alone = (): string => `${lab.prefix}:backplane`
const joined = (): string => `herdlock:inbox:joined:${lab.prefix}:backplane`

/** What arrives on these channels, without the senders. */
async function listenTo(...channels: string[]): Promise<string[]> {
  const heard: string[] = []
  const stop = await onPublished(lab.redis, channels, (channel, text) => {
    heard.push(`${channel === joined() ? 'joined ' : ''}${text.slice(22)}`)
  })
  lab.atEnd(async () => stop())
  return heard
}

/** A cache that has all keys, and `kept`, in memory for their whole ttl. */
async function holder(): Promise<Cache> {
  const cache = lab.cache()
  await cache.getOrRefill('first', () => 1)
  await eventually('messages arrive', () => cache.stats().redis[0]?.messages === 'connected')
  await cache.getOrRefillMany([...KEYS, 'kept'], (keys) => new Map(keys.map((key) => [key, 'old'])))
  expect(held(cache)).toBe(KEYS.length)
  return cache
}

const held = (cache: Cache): number => KEYS.filter((key) => cache.peek(key) !== undefined).length

async function changer(options = {}): Promise<Cache> {
  const cache = lab.cache(options)
  await cache.set('begun', 1)
  await eventually('messages arrive', () => cache.stats().redis[0]?.messages === 'connected')
  return cache
}

describe('changes', () => {
  test('that are made at once are told by few messages, and heard by all', async () => {
    const [one, other] = [await changer(), await holder()]
    const heard = await listenTo(alone(), joined())
    await Promise.all(KEYS.map((key) => one.set(key, 'new')))
    await eventually('the other has dropped all', () => held(other) === 0)
    expect(other.peek('kept')).toBe('old')
    expect(await Promise.all(KEYS.map((key) => other.get(key)))).toEqual(KEYS.map(() => 'new'))
    expect(heard.length).toBeLessThan(6)
    expect(heard[0]).toBe('k\0key 0')
    expect(heard.slice(1).every((message) => message.startsWith('joined j'))).toBe(true)
  })

  test('of one turn that follow others are told together, whatever is done', async () => {
    const [one, other] = [await changer(), await holder()]
    const heard = await listenTo(alone(), joined())
    await Promise.all([
      one.set('begun', 2),
      ...KEYS.slice(0, 50).map((key) => one.invalidate(key)),
      ...KEYS.slice(50).map((key) => one.expire(key)),
    ])
    await one.invalidateTags(['a', 'b', 'c'])
    await eventually('the other has dropped all', () => held(other) === 0)
    await eventually('the tags were told', () => heard.some((message) => message.includes('t\0c')))
    expect(heard.at(-1)).toBe('joined j3:t\0a3:t\0b3:t\0c')
    expect(heard.length).toBeLessThan(7)
  })

  test('that follow each other leave at once, each by a message of its own', async () => {
    const one = await changer()
    const heard = await listenTo(alone(), joined())
    for (const key of KEYS) await one.set(key, 1)
    await eventually('all were told', () => heard.length === KEYS.length)
    expect(heard).toEqual(KEYS.map((key) => `k\0${key}`))
  })

  test('are told one by one where a process of an earlier release listens, or nobody can say', async () => {
    const [one, other] = [await changer(), await holder()]
    const heard = await listenTo(alone())
    await Promise.all(KEYS.map((key) => one.set(key, 'new')))
    await eventually('the other has dropped all', () => held(other) === 0)
    await eventually('all were told', () => heard.length === KEYS.length)
    expect(heard).toEqual(KEYS.map((key) => `k\0${key}`))

    await lab.redis.command('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '~*', '+@all', '-pubsub', 'allchannels')
    lab.atEnd(() => lab.redis.command('ACL', 'DELUSER', 'app'))
    const restricted = await changer({ redis: lab.client(`redis://app:secret@127.0.0.1:${lab.redis.port}`) })
    heard.length = 0
    await Promise.all(KEYS.map((key) => restricted.invalidate(key)))
    await eventually('all were told', () => heard.length >= KEYS.length)
  })

  test('of earlier releases are heard', async () => {
    const other = await holder()
    await lab.redis.command('PUBLISH', alone(), `${'x'.repeat(22)}k\0${KEYS[0]}`)
    await lab.redis.command('PUBLISH', alone(), `${'y'.repeat(22)}k\0${KEYS[1]}`)
    await eventually('they are dropped', () => held(other) === KEYS.length - 2)
    expect(other.peek('kept')).toBe('old')
  })

  test('one that fails takes none of those along that travel with it', async () => {
    const one = await changer()
    const [bad] = KEYS.slice(50)
    const lease = `${lab.prefix}:{${bad}}:lease`
    await lab.redis.command('SET', `herdlock:queue:{${bad}}:${lease}`, 'no queue')
    const results = await Promise.allSettled(KEYS.map((key) => one.set(key, 'new')))
    expect(KEYS.filter((_, n) => results[n]?.status === 'rejected')).toEqual([bad])
    const values = await Promise.all(KEYS.filter((key) => key !== bad).map((key) => one.get(key)))
    expect(new Set(values)).toEqual(new Set(['new']))
    await lab.redis.command('DEL', `herdlock:queue:{${bad}}:${lease}`)
  })
})

describe('a message that is lost is noticed at the next, and all of memory is dropped as after an interruption', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['one is missing', () => lab.redis.command('INCR', `${lab.prefix}:changes`)],
    ['Redis has forgotten how many there were', () => lab.redis.command('DEL', `${lab.prefix}:changes`)],
  ])('%s', async (_what, lose) => {
    const [one, other] = [await changer(), await holder()]
    await one.set('told', 1)
    await one.set('told', 2)
    expect(held(other)).toBe(KEYS.length)
    await lose()
    await one.set('told', 3)
    await eventually('memory is dropped', () => held(other) === 0)
    expect(other.peek('kept')).toBeUndefined()
    await other.getOrRefill('kept', () => 'again')
    await one.set('told', 4)
    await one.set('told', 5)
    await other.getOrRefill('told', () => 0)
    await one.set('told', 6)
    await eventually('it has heard of the last', () => other.peek('told') === undefined)
    expect(other.peek('kept')).toBe('old') // as Redis has it
  })

  test('not where other prefixes, or caches of this process, tell theirs', async () => {
    const redis = lab.client()
    const [one, same] = [await changer({ redis }), await changer({ redis })]
    const elsewhere = await changer({ prefix: `${lab.prefix}2`, redis })
    const other = await holder()
    for (let n = 0; n < 5; n++) {
      await Promise.all([one.set('a', n), same.set('b', n), elsewhere.set('c', n), one.invalidateTags('tag')])
      await elsewhere.clear()
    }
    await one.expireTags(['x', 'y'])
    await other.getOrRefill('a', () => 0)
    await one.invalidate('a')
    await eventually('it has heard of the last', () => other.peek('a') === undefined)
    expect(held(other)).toBe(KEYS.length)
  })
})
