import { createServer } from 'node:net'

// Below the ports that systems give to outgoing connections, so that nothing takes a port while its server is down,
// and 10 000 below the bound so that the bus of a Cluster node (port + 10 000) stays below them too.
const FIRST = 11_000
const LAST = 22_000
const BUS = 10_000

/** Ports given out by this process: one may be asked for again before its server listens on it. */
const given = new Set<number>()

/** A port of 127.0.0.1 that nobody listens on, nor on the port of the Cluster bus that goes with it. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if (given.has(port)) continue
    given.add(port)
    if ((await isFree(port)) && (await isFree(port + BUS))) return port
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
