import { expect, test, vi } from 'vitest'

import { waitUntilOf } from '../../../src/middleware/wait-until.ts'

test('without a host there is none', () => {
  expect(waitUntilOf()).toBeUndefined()
  expect(waitUntilOf(undefined, undefined)).toBeUndefined()
})

test('every host is handed the work', () => {
  const [one, two] = [vi.fn<(work: Promise<unknown>) => void>(), vi.fn<(work: Promise<unknown>) => void>()]
  const work = Promise.resolve()
  waitUntilOf(one, undefined, two)?.(work)
  expect([one.mock.calls, two.mock.calls]).toEqual([[[work]], [[work]]])
})

test.each([new Error('over'), 'over'])(
  'a host that throws %s fails no work, and the others have it too',
  async (reason) => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const other = vi.fn<(work: Promise<unknown>) => void>()
    const failing = (): void => {
      throw reason
    }
    waitUntilOf(failing, other)?.(Promise.resolve())
    expect(other).toHaveBeenCalledOnce()
    expect((await warned).message).toBe('over')
  },
)
