// A server in a process of its own: `server.ts <name of a contender, or undici> <load as JSON> [port of the origin]`.
// Tells its parent its port, and how many handlers have run since it was last asked.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { inProcess, undiciProxy } from './contenders.ts'
import type { Load } from './origin.ts'

const [name, load, originPort] = process.argv.slice(2)
let runs = 0
const server = createServer(listener())
server.keepAliveTimeout = 60_000
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('message', () => {
  process.send?.({ runs })
  runs = 0
})
process.on('disconnect', () => process.exit())

function listener() {
  if (originPort !== undefined) return undiciProxy(Number(originPort))
  const contender = inProcess.find((each) => each.name === name)
  if (contender === undefined || load === undefined) throw new Error(`no contender ${name}`)
  return contender.make(JSON.parse(load) as Load, () => runs++)
}
