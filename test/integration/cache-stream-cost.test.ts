import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cacheLab, warmUp } from '../support/cache-lab.ts'
import { toldProducer } from '../support/told-producer.ts'

const lab = cacheLab()

async function calls(...commands: string[]): Promise<number> {
  const stats = String(await lab.redis.command('INFO', 'commandstats'))
  const counts = commands.map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0))
  return counts.reduce((sum, count) => sum + count, 0)
}

test('chunks are gathered, whatever the readers; a message goes to processes that read, and to no other', async () => {
  const [producing, reading, idle] = [lab.cache(), lab.cache(), lab.cache()]
  await warmUp(lab.redis, producing, reading, idle)
  const told = toldProducer<string>()
  told.say('0')
  const own = producing.stream('key', told.producer)[Symbol.asyncIterator]()
  await own.next()
  const readers = Array.from({ length: 50 }, () => reading.stream('key', told.producer)[Symbol.asyncIterator]())
  await Promise.all(readers.map((reader) => reader.next()))
  const before = { scripts: await calls('eval', 'evalsha'), messages: await calls('publish') }
  const begin = performance.now()
  for (let i = 1; i <= 200; i++) {
    told.say(String(i))
    await delay(5)
  }
  const appends = (performance.now() - begin) / 20
  const scripts = (await calls('eval', 'evalsha')) - before.scripts
  const messages = (await calls('publish')) - before.messages
  const besides = 20 // signs of life of leases and inboxes
  expect(scripts).toBeLessThan(appends + besides)
  expect(messages).toBeLessThan(appends + besides)
  expect(scripts).toBeGreaterThan(10)
  told.end()
  expect((await Promise.all(readers.map((reader) => reader.next()))).map(({ value }) => value)).toEqual(
    readers.map(() => '1'),
  )
})
