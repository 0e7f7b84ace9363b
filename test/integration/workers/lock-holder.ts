import { Redis } from 'ioredis'
import { Locker } from '../../../src/lock.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * A process that acquires and releases one lock as it is told, and tells if it loses it. `holdFor` ms after acquiring it
 * releases by itself; `blockFor` ms right after acquiring it does nothing else.
 * Arguments: the URLs of the instances, in order.
 */
const locker = new Locker({ clients: process.argv.slice(2).map((url) => new Redis(url)), commandTimeout: 2000 })
await locker.prepare()

ready()
for (;;) {
  const {
    key,
    ttl,
    holdFor,
    autoExtend,
    blockFor = 0,
  } = (await parent.next('acquire')) as unknown as {
    key: string
    ttl: number
    holdFor: number | undefined
    autoExtend: boolean | undefined
    blockFor: number | undefined
  }
  void locker.acquire(key, ttl, { autoExtend }).then(
    async (lock) => {
      const blockedUntil = performance.now() + blockFor
      while (performance.now() < blockedUntil);
      lock.signal.addEventListener('abort', () => parent.send({ type: 'lost' }))
      parent.send({ type: 'acquired', token: lock.token })
      if (holdFor === undefined) await parent.next('release')
      else await new Promise((resolve) => setTimeout(resolve, holdFor))
      await lock.release()
      parent.send({ type: 'released' })
    },
    (error: unknown) => parent.send({ type: 'failed', error: String(error) }),
  )
}
