// One contender in a process of its own: `server.ts <name> <load as JSON>`. Prints its port, then answers `runs` lines.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { contenders, type Load } from './contenders.ts'

const [name, load] = process.argv.slice(2)
const contender = contenders.find((each) => each.name === name)
if (contender === undefined || load === undefined) throw new Error(`no contender ${name}`)
let runs = 0
const server = createServer(contender.make(JSON.parse(load) as Load, () => runs++))
server.keepAliveTimeout = 60_000
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('message', () => {
  process.send?.({ runs })
  runs = 0
})
process.on('disconnect', () => process.exit())
