import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { abandonable } from '../../../src/lock/abandonable.ts'

function pending<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

it('is the work itself without a signal', () => {
  const { promise } = pending<number>()
  expect(abandonable(undefined, promise, () => {})).toBe(promise)
})

it('settles as the work does, and takes its listener away', async () => {
  const { signal } = new AbortController()
  const works = pending<number>()
  const fails = pending<number>()
  const results = Promise.allSettled([works, fails].map(({ promise }) => abandonable(signal, promise, () => {})))
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  works.resolve(1)
  fails.reject('no')
  expect(await results).toEqual([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: 'no' },
  ])
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

it('rejects with the reason of the signal at once, and undoes what comes after it', async () => {
  const controller = new AbortController()
  const work = pending<number>()
  const undone: number[] = []
  const result = abandonable(controller.signal, work.promise, (value) => undone.push(value))
  controller.abort('enough')
  await expect(result).rejects.toBe('enough')
  work.resolve(7)
  await work.promise
  expect(undone).toEqual([7])
})

it('swallows what the work throws after the abort', async () => {
  const controller = new AbortController()
  const work = pending<number>()
  const result = abandonable(controller.signal, work.promise, () => {})
  controller.abort('enough')
  await expect(result).rejects.toBe('enough')
  work.reject(new Error('late'))
  await work.promise.catch(() => {})
})
