// The load process of the demo: opens all connections first, then sends one request on each.
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { channelTo } from '../../test/support/message-channel.ts'

/** Connections opened at a time: more than the backlog of a listening socket takes would be refused. */
const OPENED_AT_A_TIME = 100
/** ms after which a request counts as failed. */
const TIMEOUT = 40_000
const PROGRESS_EVERY = 100
/** All processes are one site, as behind a load balancer: the host is part of what identifies a response. */
const HOST = 'demo.test'

export interface LoadOrder {
  /** Where to connect to, in turn. */
  readonly ports: readonly number[]
  readonly path: string
  /** A multiple of 100. */
  readonly requests: number
  /** ms over which the requests are spread; 0: all at once. */
  readonly over: number
  /** Whether every process is to have the response before the load begins. */
  readonly storedBefore: boolean
}

export interface LoadResult {
  /** ms from sending a request to the end of its response, of those that succeeded. */
  readonly latencies: readonly number[]
  /** Requests that had arrived before their answer was made: they waited for the handler. */
  readonly waited: number
  readonly errors: readonly string[]
}

const parent = channelTo(process, 'the demo')
parent.send({ type: 'ready' })
void takeOrders()
await parent.next('stop')
process.exit()

async function takeOrders(): Promise<void> {
  for (;;) {
    const order = (await parent.next('order')) as unknown as LoadOrder
    const sockets = await openConnections(order.ports, order.requests)
    if (order.storedBefore) await storeEverywhere(order)
    parent.send({ type: 'ready-to-fire' })
    await parent.next('fire')
    parent.send({ type: 'finished', result: await fire(sockets, order) })
  }
}

async function openConnections(ports: readonly number[], count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(OPENED_AT_A_TIME, count - sockets.length) }, (_, index) =>
      connect({ host: '127.0.0.1', port: ports[index % ports.length] as number, noDelay: true }),
    )
    await Promise.all(batch.map((socket) => once(socket, 'connect')))
    sockets.push(...batch)
  }
  return sockets
}

async function storeEverywhere({ ports, path }: LoadOrder): Promise<void> {
  for (const socket of await openConnections(ports, ports.length)) await get(socket, path)
}

async function fire(sockets: readonly Socket[], { path, over }: LoadOrder): Promise<LoadResult> {
  const latencies: number[] = []
  const errors: string[] = []
  let waited = 0
  let done = 0
  await Promise.all(
    sockets.map(async (socket, index) => {
      if (over > 0) await delay((index * over) / sockets.length)
      try {
        const answer = await get(socket, path)
        latencies.push(answer.took)
        if (answer.waited) waited++
      } catch (error) {
        errors.push(error instanceof Error ? error.message : String(error))
      }
      if (++done % PROGRESS_EVERY === 0) parent.send({ type: 'progress', done })
    }),
  )
  return { latencies, waited, errors }
}

function get(socket: Socket, path: string): Promise<{ took: number; waited: boolean }> {
  return new Promise((resolve, reject) => {
    const sentAt = performance.now()
    const outgoing = request({ createConnection: () => socket, path, headers: { host: HOST }, timeout: TIMEOUT })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no response within ${TIMEOUT} ms`)))
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', reject)
      response.on('end', () => {
        const took = performance.now() - sentAt
        if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`))
        const receivedOn = Number(response.headers['x-received-on'])
        const { madeOn } = JSON.parse(body) as { madeOn: number }
        if (Number.isNaN(receivedOn - madeOn)) return reject(new Error('the answer does not say when it was made'))
        resolve({ took, waited: receivedOn < madeOn })
      })
    })
    outgoing.end()
  })
}
