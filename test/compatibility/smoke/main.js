// node main.js redis://… : tries each promise and prints a line of JSON for it, with what broke it. Ends by itself, but on Bun,
// where that is not certain.
// Plain JavaScript on dist/, so that every runtime can run it as it stands.
import { setTimeout as delay } from 'node:timers/promises'
import { cachePromises } from './cache.js'
import { httpPromises } from './http.js'
import { lockPromises } from './lock.js'
import { openClients } from './clients.js'

const DEADLINE = 30_000

const clients = await openClients(process.argv[2])
const promises = { ...cachePromises(clients), ...lockPromises(clients), ...httpPromises }
for (const [name, keep] of Object.entries(promises)) {
  console.log(JSON.stringify({ name, broken: await whatBreaks(keep) }))
}
await clients.close()
if (globalThis.Bun !== undefined) process.exit()

async function whatBreaks(keep) {
  const stop = new AbortController()
  const late = delay(DEADLINE, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`not within ${DEADLINE} ms`)
  })
  late.catch(() => {})
  try {
    await Promise.race([keep(), late])
    return null
  } catch (error) {
    return String(error?.stack ?? error)
  } finally {
    stop.abort()
  }
}
