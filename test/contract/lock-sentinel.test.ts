import { Redis } from 'ioredis'
import { startSentinel } from '../support/redis-sentinel.ts'
import { SINGLE } from './libraries.ts'
import { lockContract } from './lock-contract.ts'

lockContract(Object.keys(SINGLE), async () => {
  const { addresses, name, stop } = await startSentinel()
  // One set of servers plays all instances: each has a database of its own.
  const optionsOf = (index: number) => ({ sentinels: [...addresses], name, db: index })
  return {
    connect: (index) => new Redis(optionsOf(index)),
    libraries: Object.fromEntries(
      Object.entries(SINGLE).map(([library, make]) => [library, (index: number) => make(optionsOf(index))]),
    ),
    stop,
  }
})
