import { ratesOfFirstSecond } from '../measure/first-second.ts'
import type { Connected } from './contender.ts'
import { handOffContenders, pairContenders } from './contenders.ts'

/** What a worker is told to do; each order is answered when it is done. */
export type Order =
  | { do: 'connect'; contender: string; url: string }
  | { do: 'pairs'; pairs: number; concurrency: number }
  | { do: 'first-pairs'; concurrency: number }
  | { do: 'hold'; key: string }
  | { do: 'drop' }
  | { do: 'queue'; key: string; waiters: number; holdFor: number }
  | { do: 'join' }
  | { do: 'close' }

/** ns on the monotonic clock, which all processes of a machine share: when a lock was had, when it was given up. */
export interface Span {
  from: string
  to: string
}

const TTL = 60_000
const contenders = [...pairContenders, ...handOffContenders]
let connected: Connected
let drop: () => Promise<unknown>
let waiting: Promise<Span[]> = Promise.resolve([])

process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})

process.on('disconnect', () => process.exit())

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'connect': {
      const contender = contenders.find(({ name }) => name === order.contender)
      if (contender === undefined) throw new Error(`no contender ${order.contender}`)
      connected = await contender.connect(order.url)
      return undefined
    }
    case 'pairs':
      return await pairsPerSecond(order.pairs, order.concurrency)
    case 'first-pairs':
      return await ratesOfFirstSecond(order.concurrency, async (caller) => {
        await (
          await connected.acquire(`pair:${caller}`, TTL)
        )()
        return 1
      })
    case 'hold':
      drop = await connected.acquire(order.key, TTL)
      return undefined
    case 'drop': {
      const from = process.hrtime.bigint()
      await drop()
      return { from: String(from), to: String(from) } satisfies Span
    }
    case 'queue':
      waiting = Promise.all(Array.from({ length: order.waiters }, () => holdOnce(order.key, order.holdFor)))
      return undefined
    case 'join':
      return await waiting
    case 'close':
      return await connected.close()
  }
}

async function holdOnce(key: string, holdFor: number): Promise<Span> {
  const release = await connected.acquire(key, TTL)
  const from = process.hrtime.bigint()
  if (holdFor > 0) await new Promise((resolve) => setTimeout(resolve, holdFor))
  const to = process.hrtime.bigint()
  await release()
  return { from: String(from), to: String(to) }
}

async function pairsPerSecond(pairs: number, concurrency: number): Promise<number> {
  let begun = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async (_, index) => {
      while (begun++ < pairs) await (await connected.acquire(`pair:${index}`, TTL))()
    }),
  )
  return pairs / ((performance.now() - start) / 1000)
}
