import { expect, test } from 'vitest'

import { type Answer, open, readAll } from '../http/support/client.ts'
import { cacheLab } from '../support/cache-lab.ts'
import { startWorkers, stopWorkers, type Worker } from '../support/workers.ts'

const lab = cacheLab()
const HOST = { Host: 'shop.example' }

interface Server extends Worker {
  /** Resolves when it has begun to read an event stream. */
  begin(path: string, lastEventId?: string): Promise<{ told(): Promise<Told> }>
  /** Reads an event stream to its end, or until it is cut off. */
  read(path: string, lastEventId?: string): Promise<Told>
}

/** What a client has had: the number and the producer of each event. */
interface Told {
  readonly numbers: readonly number[]
  readonly pids: readonly number[]
  readonly complete: boolean
}

async function startServers(count: number): Promise<Server[]> {
  const workers = await startWorkers('http-stream', count, [lab.redis.url, lab.prefix])
  lab.atEnd(() => stopWorkers(workers))
  return Promise.all(
    workers.map(async (worker) => {
      const port = Number((await worker.next('listening'))['port'])
      const begin: Server['begin'] = async (path, lastEventId) => {
        const headers = lastEventId === undefined ? HOST : { ...HOST, 'Last-Event-ID': lastEventId }
        const response = await open(`http://127.0.0.1:${port}${path}`, { headers }).response
        return { told: async () => toldBy(await readAll(response)) }
      }
      return { ...worker, begin, read: async (...asked) => (await begin(...asked)).told() }
    }),
  )
}

function toldBy({ body, complete }: Answer): Told {
  const events = [...body.matchAll(/id: (\d+)\ndata: (\d+)\n\n/g)]
  return { numbers: events.map((each) => Number(each[1])), pids: events.map((each) => Number(each[2])), complete }
}

const upTo = (count: number, from = 0): number[] => Array.from({ length: count - from }, (_, index) => from + index)

const DOORS = ['/node', '/fetch']

test('one handler runs for the clients of all processes; when that process is killed, another runs it', async () => {
  const servers = await startServers(3)
  const [one, two, three] = servers as [Server, Server, Server]
  await Promise.all(
    DOORS.map(async (door) => {
      const path = `${door}?count=30&every=10`
      const leading = one.read(path)
      await one.next('producing')
      const told = await Promise.all([leading, ...servers.flatMap(({ read }) => [read(path), read(path)])])
      for (const each of told) {
        expect(each).toEqual({ numbers: upTo(30), pids: upTo(30).map(() => one.pid), complete: true })
      }
      const kept = await Promise.all(servers.map(({ read }) => read(path, '27')))
      expect(kept.map(({ numbers }) => numbers)).toEqual(servers.map(() => [28, 29]))
    }),
  )
  const long = (door: string) => `${door}?count=60&every=20`
  const silent = (door: string) => `${door}?count=3&every=5&silent=${one.pid}`
  for (const path of DOORS.flatMap((door) => [long(door), silent(door)])) {
    one.read(path).catch(() => {})
    await one.next('producing')
  }
  const begun = await Promise.all(DOORS.flatMap((door) => [two, three].map(({ begin }) => begin(long(door)))))
  const waiting = DOORS.map((door) => two.read(silent(door)))
  await one.kill()
  const cut = await Promise.all(begun.map(({ told }) => told()))
  for (const { complete, numbers, pids } of cut) {
    expect([complete, numbers, new Set(pids)]).toEqual([false, upTo(numbers.length), new Set([one.pid])])
  }
  for (const each of await Promise.all(waiting)) {
    expect(each).toMatchObject({ complete: true, numbers: upTo(3) })
    expect([two.pid, three.pid]).toContain(each.pids[0])
  }
  for (const door of DOORS) {
    const again = await Promise.all([two, three].map(({ read }) => read(long(door), String(cut[0]?.numbers.at(-1)))))
    for (const { complete, numbers } of again) {
      expect([complete, numbers]).toEqual([true, upTo(60)]) // in the new run that event was not known yet
    }
    const pids = new Set(again.flatMap((each) => each.pids))
    expect(pids.size).toBe(1)
    expect([...pids]).not.toContain(one.pid)
  }
})

test('Redis is frozen: clients of the handler’s process go on, others are cut off or get a run of their own', async () => {
  const [one, two] = (await startServers(2)) as [Server, Server]
  const paths = DOORS.map((door) => `${door}?count=100&every=20`)
  const own = paths.map((path) => one.read(path))
  for (const _ of paths) await one.next('producing')
  const begun = await Promise.all(paths.map((path) => two.begin(path)))
  lab.redis.pause()
  for (const { complete } of await Promise.all(begun.map(({ told }) => told()))) expect(complete).toBe(false)
  const late = await Promise.all(paths.map((path) => two.read(path)))
  lab.redis.resume()
  for (const each of late)
    expect(each).toEqual({ numbers: upTo(100), pids: upTo(100).map(() => two.pid), complete: true })
  for (const each of await Promise.all(own)) {
    expect(each).toEqual({ numbers: upTo(100), pids: upTo(100).map(() => one.pid), complete: true })
  }
})
