import { describe, expect, it } from 'vitest'
import { SharedLease } from '../../../../src/redis/clients/shared-lease.ts'
import { deferred } from '../../../support/deferred.ts'

/** A pool of one client, which lends it to one at a time. */
function makePool() {
  const log: string[] = []
  let free = Promise.resolve()
  const lend = async () => {
    const given = deferred<void>()
    const before = free
    free = given.promise
    await before
    log.push('lent')
    return {
      client: (name: string) => void log.push(name),
      giveBack: () => {
        log.push('back')
        given.resolve()
      },
    }
  }
  return { log, lend }
}

describe('a shared lease', () => {
  it('sends what is under way at one time through one client, in the order of calls, and gives it back after the last', async () => {
    const { log, lend } = makePool()
    const lease = new SharedLease(lend)
    const replies = [deferred<number>(), deferred<number>()]
    const uses = replies.map(({ promise }, index) =>
      lease.use((client) => {
        client(`command ${index}`)
        return promise
      }),
    )
    replies[0]?.resolve(0)
    expect(await uses[0]).toBe(0)
    expect(log).toEqual(['lent', 'command 0', 'command 1'])
    replies[1]?.resolve(1)
    expect(await uses[1]).toBe(1)
    await lease.use((client) => Promise.resolve(client('command 2')))
    expect(log).toEqual(['lent', 'command 0', 'command 1', 'back', 'lent', 'command 2', 'back'])
  })

  it('lets others have the client now and then, however busy it is, and keeps the order', async () => {
    const { log, lend } = makePool()
    const lease = new SharedLease(lend)
    const isDone = deferred<void>()
    const first = lease.use(() => isDone.promise)
    const numbers = Array.from({ length: 1999 }, (_, index) => index)
    const uses = numbers.map((number) => lease.use((client) => Promise.resolve(client(String(number)))))
    const other = lend().then(({ giveBack }) => {
      log.push('other')
      giveBack()
    })
    isDone.resolve()
    await Promise.all([first, other, ...uses])
    const sent = log.filter((line) => /^\d/.test(line)).map(Number)
    expect(sent).toEqual(numbers)
    expect(log.indexOf('other')).toBeLessThan(log.indexOf('1998'))
  })

  it('rejects with the reason of a pool that lends nothing, and asks it again the next time', async () => {
    const { log, lend } = makePool()
    let isEmpty = true
    const lease = new SharedLease(() => (isEmpty ? Promise.reject(new Error('none is free')) : lend()))
    const uses = [1, 2].map(() => lease.use(() => Promise.resolve()))
    for (const result of await Promise.allSettled(uses)) expect(result).toMatchObject({ status: 'rejected' })
    isEmpty = false
    await lease.use((client) => Promise.resolve(client('command')))
    expect(log).toContain('command')
  })

  it('goes on after a command that failed', async () => {
    const { log, lend } = makePool()
    const lease = new SharedLease(lend)
    await expect(lease.use(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused')
    await lease.use((client) => Promise.resolve(client('command')))
    expect(log).toEqual(['lent', 'back', 'lent', 'command', 'back'])
  })
})
