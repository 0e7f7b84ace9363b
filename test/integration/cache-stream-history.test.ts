import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cacheLab } from '../support/cache-lab.ts'
import { startStreamProcesses, type StreamProcess, type Told } from '../support/stream-process.ts'

const lab = cacheLab()
const PROCESSES = 4
const ROUNDS = 4
const COUNT = 60
const EVERY = 10

/** Who made each chunk, by pid; throws unless the numbers are those from 0 on, without a gap. */
function makersOf({ chunks }: Told): number[] {
  const parts = chunks.map((chunk) => chunk.split(':').map(Number))
  expect(parts.map(([, number]) => number)).toEqual(chunks.map((_, index) => index))
  return parts.map(([pid]) => pid as number)
}

/** Whether one of them is the beginning of the other. */
function agree(one: Told, other: Told): boolean {
  const common = Math.min(one.chunks.length, other.chunks.length)
  return one.chunks.slice(0, common).join() === other.chunks.slice(0, common).join()
}

test(`what each reader gets is the beginning of one stream, whatever happens to producers and messages`, async () => {
  const processes = await startStreamProcesses(lab, PROCESSES, { lockTtl: 300, commandTimeout: 150 })
  let completed = 0
  for (let round = 0; round < ROUNDS; round++) {
    const onProducerLost = round % 2 === 0 ? 'restart' : 'resume'
    const plan = { count: COUNT, every: EVERY, key: `key ${round}` }
    const producing = processes[round % PROCESSES] as StreamProcess
    const others = processes.filter((each) => each !== producing)
    const first = producing.read(plan, { onProducerLost })
    await first.next()
    const readers = others.flatMap((each) => [each.read(plan, { onProducerLost }), each.read(plan, { onProducerLost })])
    await Promise.all(readers.map((reader) => reader.next()))
    await delay(Math.random() * 100)
    if (round < 2) producing.pause()
    else await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await delay(500)
    producing.resume()
    const own = await first.end()
    const told = await Promise.all(readers.map((reader) => reader.end()))
    // Beside the producer nothing is lost, whatever becomes of its lease.
    expect(new Set(makersOf(own))).toEqual(new Set([producing.pid]))
    expect(own.chunks).toHaveLength(COUNT)
    for (const each of told) {
      const makers = makersOf(each)
      expect(onProducerLost === 'restart' ? new Set(makers).size : 1).toBe(1)
      expect(each.error === undefined ? each.chunks.length : each.error).toBe(
        each.error === undefined ? COUNT : 'ProducerLostError',
      )
      const mates = told.filter((other) => onProducerLost === 'resume' || makersOf(other)[0] === makers[0])
      for (const other of mates) expect(agree(each, other)).toBe(true)
      if (each.error === undefined) completed++
    }
  }
  expect(completed).toBeGreaterThan(0)
})
