import { Redis } from 'ioredis'
import { Locker } from '../../../src/lock.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * A process one of whose callers always wants one lock, and holds it for a moment. Arguments: the URL of Redis, the key, the
 * ms of `yieldAfter`.
 */
const [url, key, yieldAfter] = process.argv.slice(2) as [string, string, string]
const HOLD_FOR = 5

const client = new Redis(url)
const locker = new Locker({ clients: client, yieldAfter: Number(yieldAfter) })
await locker.prepare()
let stopping = false
let rounds = 0

async function loop(): Promise<void> {
  while (!stopping) {
    await locker.withLock(key, 5000, () => new Promise((resolve) => setTimeout(resolve, HOLD_FOR)))
    rounds++
  }
}

ready()
const loops = [loop(), loop()] // so that one waits when the other releases
await parent.next('stop')
stopping = true
await Promise.all(loops)
parent.send({ type: 'stopped', rounds })
await locker.close()
client.disconnect()
process.disconnect()
