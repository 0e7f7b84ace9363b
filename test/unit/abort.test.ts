import { getEventListeners } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isAbortSignal, onAbort, reasonOf, throwIfAborted } from '../../src/abort.ts'
import { FOREIGN_CONTROLLERS } from '../support/foreign-signals.ts'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

function collectWarnings(): Error[] {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  return warnings
}

describe('onAbort', () => {
  it('runs every callback once', () => {
    const controller = new AbortController()
    const calls: number[] = []
    for (let i = 0; i < 3; i++) onAbort(controller.signal, () => calls.push(i))
    controller.abort()
    controller.abort()
    expect(calls).toEqual([0, 1, 2])
    expect(listeners(controller.signal)).toBe(0)
  })

  it('keeps one listener on the signal for 5000 callers, without a warning', async () => {
    const warnings = collectWarnings()
    const controller = new AbortController()
    let calls = 0
    const leaves = Array.from({ length: 5000 }, () => onAbort(controller.signal, () => calls++))
    expect(listeners(controller.signal)).toBe(1)
    for (const leave of leaves.slice(0, 4999)) leave()
    expect(listeners(controller.signal)).toBe(1)
    leaves[4999]?.()
    expect(listeners(controller.signal)).toBe(0)
    controller.abort()
    await new Promise((resolve) => setImmediate(resolve)) // warnings are emitted in the next tick
    expect(calls).toBe(0)
    expect(warnings).toEqual([])
  })

  it('tells the same callback from itself when it is registered twice', () => {
    const controller = new AbortController()
    let calls = 0
    const callback = (): void => void calls++
    const leave = onAbort(controller.signal, callback)
    onAbort(controller.signal, callback)
    leave()
    controller.abort()
    expect(calls).toBe(1)
  })

  it('starts anew on a signal whose callers have all left', () => {
    const controller = new AbortController()
    let calls = 0
    onAbort(controller.signal, () => calls++)()
    onAbort(controller.signal, () => calls++)
    expect(listeners(controller.signal)).toBe(1)
    controller.abort()
    expect(calls).toBe(1)
  })

  it('lets a callback leave, or others join another signal, while callbacks run', () => {
    const controller = new AbortController()
    const other = new AbortController()
    const calls: string[] = []
    const leave = onAbort(controller.signal, () => {
      calls.push('first')
      leave()
      onAbort(other.signal, () => calls.push('other'))
    })
    onAbort(controller.signal, () => calls.push('second'))
    controller.abort()
    other.abort()
    expect(calls).toEqual(['first', 'second', 'other'])
  })

  it('leaves the listeners of others alone', () => {
    const controller = new AbortController()
    controller.signal.addEventListener('abort', () => {})
    onAbort(controller.signal, () => {})()
    expect(listeners(controller.signal)).toBe(1)
  })
})

describe.each(FOREIGN_CONTROLLERS)('a signal of %s', (_what, create) => {
  it('is one', () => {
    expect(isAbortSignal(create().signal)).toBe(true)
  })

  it('calls back once and keeps no listener', () => {
    const controller = create()
    let calls = 0
    onAbort(controller.signal, () => calls++)
    onAbort(controller.signal, () => calls++)()
    expect(controller.listeners).toBe(1)
    controller.abort()
    controller.abort()
    expect(calls).toBe(1)
    expect(controller.listeners).toBe(0)
  })

  it('throws once it is aborted', () => {
    const controller = create()
    throwIfAborted(controller.signal)
    controller.abort()
    expect(() => throwIfAborted(controller.signal)).toThrow(DOMException)
    expect(reasonOf(controller.signal)).toMatchObject({ name: 'AbortError', code: DOMException.ABORT_ERR })
  })
})

describe('the reason of a signal', () => {
  it('is that with which it was aborted, whatever that is', () => {
    for (const reason of ['reason', null, 0, new Error('reason')]) {
      const signal = AbortSignal.abort(reason)
      expect(reasonOf(signal)).toBe(reason)
      let thrown: unknown = 'nothing'
      try {
        throwIfAborted(signal)
      } catch (error) {
        thrown = error
      }
      expect(thrown).toBe(reason)
    }
  })

  it('is not thrown before', () => {
    throwIfAborted(undefined)
    throwIfAborted(new AbortController().signal)
  })
})

it.each([undefined, null, 'abort', 7, {}, { aborted: false }, new AbortController(), new EventTarget(), () => {}])(
  'takes %o for no signal',
  (value) => {
    expect(isAbortSignal(value)).toBe(false)
  },
)
