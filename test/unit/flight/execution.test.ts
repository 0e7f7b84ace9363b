import { describe, expect, it } from 'vitest'
import { Execution } from '../../../src/flight/execution.ts'

describe('Execution', () => {
  it('aborts the signal that somebody has, and one that is asked for later', () => {
    const execution = new Execution()
    const { signal } = execution
    expect([signal.aborted, execution.isAborted]).toEqual([false, false])
    execution.abort('first')
    execution.abort('second')
    expect([signal.reason, execution.reason, execution.signal]).toEqual(['first', 'first', signal])
    const unasked = new Execution()
    unasked.abort(undefined)
    expect([unasked.isAborted, unasked.signal.aborted]).toEqual([true, true])
  })

  it('tells whoever runs of each abort', () => {
    const execution = new Execution()
    const heard: unknown[] = []
    execution.onAbort = (reason) => heard.push(reason)
    execution.abort('lost')
    execution.abort('closed')
    execution.onAbort = undefined
    execution.abort('nobody hears')
    expect(heard).toEqual(['lost', 'closed'])
  })
})
