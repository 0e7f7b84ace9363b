import { systemClock } from '../clock.ts'
import { shownKey } from '../full-key.ts'
import { withoutVersion } from '../key-version.ts'
import { systemRandom } from '../random.ts'
import type { ClientPort } from '../redis/client-port.ts'
import { asClient, listPorts, type RedisClient } from '../redis/clients/port-of.ts'
import { original } from '../redis/entry-keys.ts'
import { RedisTime } from './redis-time.ts'
import { TestPort } from './test-port.ts'
import type { Outside } from './virtual-time.ts'

/** Real ms that a testbed waits for operations under way, for example if Redis does not answer. */
const PATIENCE = 2000
const LEASE = ':lease'
/** Keys that stay by design, for good or for their ttl: values, tags, the last leases, fencing numbers. */
const STAYS = /\}$|\}:last$|:tag:\{|^herdlock:fence:/

/** The Redis that a test has passed in. */
export class TestRedis implements Outside {
  readonly #port: ClientPort
  readonly #time: RedisTime
  readonly #barrier = `herdlock:testbed:${systemRandom.token()}`
  readonly #ports: TestPort[] = []
  #barriers = 0

  /** `ahead`: ms by which virtual time is ahead of real time. Throws if it is not a client of a single Redis. */
  constructor(client: RedisClient, ahead: () => number) {
    const [port] = listPorts('redis', client) as [ClientPort]
    if (port.isCluster) throw new RangeError('redis must be a client of a single Redis, received one of a Cluster')
    this.#port = port
    this.#time = new RedisTime(port, ahead)
  }

  /** The port of one process. */
  connect(): { readonly port: TestPort; readonly client: RedisClient } {
    const port = new TestPort(this.#port, this.#time, this.#barrier)
    this.#ports.push(port)
    return { port, client: asClient(port) }
  }

  pass(ms: number): Promise<void> {
    return this.#time.pass(ms)
  }

  async settle(): Promise<boolean> {
    const before = this.#received()
    const isBusy = this.#ports.some((port) => port.isBusy)
    const isDone = !isBusy || (await within(PATIENCE, Promise.all(this.#ports.map((port) => port.idle()))))
    await this.#messagesArrive()
    return (isBusy && isDone) || this.#received() > before
  }

  /** Resolves when all earlier messages have arrived at their listeners. */
  async #messagesArrive(): Promise<void> {
    const message = String(++this.#barriers)
    const heard = Promise.all(this.#ports.map((port) => port.heard(message)))
    await this.#port.send('text', 'publish', [this.#barrier, message])
    await within(PATIENCE, heard)
  }

  #received(): number {
    return this.#ports.reduce((sum, { received }) => sum + received, 0)
  }

  /** Deletes a key, as by hand. */
  async lose(key: string): Promise<boolean> {
    return Number(await this.#port.send('text', 'del', [key])) === 1
  }

  /** The keys of the leases of this key. It is named as in `SeenLoad`. */
  leasesOf(key: string): string[] {
    return [...this.#time.keys].filter((each) => {
      if (!each.endsWith(LEASE)) return false
      const form = each.slice(each.indexOf(':{') + 2, -LEASE.length - 1)
      return shownKey(withoutVersion(original(form).key)) === key
    })
  }

  /** Keys that should be gone when nothing is under way, and keys that would never expire, in words. */
  async left(): Promise<string[]> {
    const keys = [...this.#time.keys]
    const ttls = await Promise.all(keys.map((key) => this.#port.send('text', 'pttl', [key]).then(Number)))
    return keys.flatMap((key, i) => {
      const ttl = ttls[i] as number
      if (ttl === GONE) return []
      if (!STAYS.test(key)) return [`${key} is in Redis`]
      return ttl === ENDLESS && !key.startsWith('herdlock:fence:') ? [`${key} is in Redis for good`] : []
    })
  }

  /** Deletes everything that was written through it. */
  async cleanUp(): Promise<void> {
    const keys = [...this.#time.keys]
    const counters = keys.map((key) => `${key.slice(0, key.indexOf(':{'))}:changes`)
    for (const key of new Set([...keys, ...counters])) await this.lose(key)
  }
}

/** What PTTL returns for a key that does not exist, and for one that never expires. */
const GONE = -2
const ENDLESS = -1

/** Resolves with whether the work was done within that many real ms. */
function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.setTimeout(() => resolve(false), ms)
    work
      .then(() => resolve(true), reject)
      .finally(timer.cancel)
      .catch(() => {})
  })
}
