import { beforeEach, describe, expect, it } from 'vitest'
import type { Loader } from '../../../../src/cache/refill/loader-context.ts'
import { isAbandonment, LoneLoad } from '../../../../src/cache/refill/run-loader.ts'
import { ClosedError, LoadTimeoutError, LockLostError } from '../../../../src/errors.ts'
import { Deadlines } from '../../../../src/redis/deadlines.ts'
import { Execution } from '../../../../src/flight/execution.ts'
import { deferred } from '../../../support/deferred.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

describe('a loader that runs', () => {
  let clock: FakeClock
  let execution: Execution
  let timeouts: Deadlines
  beforeEach(() => {
    clock = new FakeClock()
    execution = new Execution()
    timeouts = new Deadlines(clock, 1000, { keepsAlive: true })
  })

  function run<V>(loader: Loader<V>): Promise<V> {
    return new LoneLoad<V>(timeouts, { fullKey: 'key', execution }).run(loader, 1000)
  }

  /** No timer and no callback is left. */
  async function expectNothingLeft(): Promise<void> {
    await clock.settle()
    expect(clock.pendingTimers).toBe(0)
    expect(execution.onAbort).toBeUndefined()
  }

  it.each([
    ['a value', () => 1, 1],
    ['a promise', () => Promise.resolve(2), 2],
    ['undefined', () => undefined, undefined],
    ['a thenable', () => ({ then: (resolve: (value: number) => void) => resolve(3) }) as unknown as number, 3],
  ])('resolves with %s', async (_name, loader, value) => {
    expect(await run(loader)).toBe(value)
    await expectNothingLeft()
  })

  it.each([new Error('no'), undefined, null, 'text', { code: 1 }])(
    'rejects with the very reason: %o',
    async (reason) => {
      const rejects = await Promise.allSettled([run(() => Promise.reject(reason))])
      const throws = await Promise.allSettled([
        run(() => {
          throw reason
        }),
      ])
      for (const [result] of [rejects, throws]) expect(result).toEqual({ status: 'rejected', reason })
      await expectNothingLeft()
    },
  )

  it('takes the first settlement of a hostile thenable, whose getter may throw', async () => {
    const twice = {
      then(resolve: (value: number) => void, reject: (reason: unknown) => void) {
        resolve(1)
        reject(new Error('second'))
        throw new Error('third')
      },
    }
    expect(await run(() => twice as unknown as number)).toBe(1)
    const throwing = Object.defineProperty({}, 'then', {
      get() {
        throw new Error('getter')
      },
    })
    await expect(run(() => throwing)).rejects.toThrow('getter')
    await expectNothingLeft()
  })

  it('does not run the loader of a load that nobody wants any more', async () => {
    execution.abort('left')
    let ran = false
    await expect(run(() => (ran = true))).rejects.toBe('left')
    expect(ran).toBe(false)
    await expectNothingLeft()
  })

  it.each([
    ['nobody wants it', () => execution.abort('left'), 'left'],
    ['the cache is closed', () => execution.abort(new ClosedError('cache')), new ClosedError('cache')],
  ])('gives up a loader that never settles when %s, and leaves nothing', async (_why, end, reason) => {
    const outcome = Promise.allSettled([run(() => new Promise(() => {}))])
    end()
    expect(await outcome).toEqual([{ status: 'rejected', reason }])
    await expectNothingLeft()
  })

  it('gives up a loader after its time, with nothing left though it never settles', async () => {
    const outcome = expect(run(() => new Promise(() => {}))).rejects.toBeInstanceOf(LoadTimeoutError)
    await clock.advance(1000)
    await outcome
    expect(execution.reason).toBeInstanceOf(LoadTimeoutError)
    await expectNothingLeft()
  })

  it('waits for the loader though the lease is lost, and then still hears of the end of the cache', async () => {
    const value = deferred<number>()
    const kept = run(() => value.promise)
    execution.abort(new LockLostError('key', 'its time ran out'))
    await clock.settle()
    value.resolve(1)
    expect(await kept).toBe(1)

    execution = new Execution()
    const outcome = expect(run(() => new Promise(() => {}))).rejects.toBeInstanceOf(ClosedError)
    execution.abort(new LockLostError('key', 'its time ran out'))
    execution.abort(new ClosedError('cache'))
    await outcome
    await expectNothingLeft()
  })
})

describe('isAbandonment', () => {
  it('tells a load that nobody wants from one that lost its lease or took too long', () => {
    expect(isAbandonment('left')).toBe(true)
    expect(isAbandonment(new ClosedError('cache'))).toBe(true)
    expect(isAbandonment(new LockLostError('key', 'why'))).toBe(false)
    expect(isAbandonment(new LoadTimeoutError('key', 5))).toBe(false)
  })
})
