import { beforeEach, describe, expect, it } from 'vitest'
import { RedisTimeoutError, BreakerOpenError } from '../../../src/errors.ts'
import { Breaker } from '../../../src/redis/breaker.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const outage = new RedisTimeoutError('redis 127.0.0.1:6379', 1000)
const refusal = Object.assign(new Error('READONLY'), { name: 'ReplyError' })

describe('Breaker', () => {
  let clock: FakeClock
  let breaker: Breaker
  beforeEach(() => {
    clock = new FakeClock()
    breaker = new Breaker(clock, 'redis 127.0.0.1:6379')
  })

  /** Runs one operation and says what became of it; `tried` is whether it was run at all. */
  async function run(error?: unknown): Promise<{ tried: boolean; error: unknown }> {
    let tried = false
    try {
      await breaker.run(async () => {
        tried = true
        if (error !== undefined) throw error
      })
      return { tried, error: undefined }
    } catch (caught) {
      return { tried, error: caught }
    }
  }

  async function open(): Promise<void> {
    for (let i = 0; i < 3; i++) await run(outage)
  }

  it('passes results and errors through as they are', async () => {
    expect(await breaker.run(() => Promise.resolve(7))).toBe(7)
    expect((await run(outage)).error).toBe(outage)
    expect((await run(refusal)).error).toBe(refusal)
  })

  it('opens after three failures in a row, and then tries nothing', async () => {
    await run(outage)
    await run(outage)
    expect(breaker.state).toBe('closed')
    await run(outage)
    expect(breaker.state).toBe('open')
    expect(await run()).toEqual({ tried: false, error: expect.any(BreakerOpenError) as unknown })
  })

  it('starts to count anew after a success', async () => {
    await run(outage)
    await run(outage)
    await run()
    await run(outage)
    await run(outage)
    expect(breaker.state).toBe('closed')
  })

  it('takes an error reply for an answer: Redis is there', async () => {
    for (let i = 0; i < 10; i++) await run(refusal)
    expect(breaker.state).toBe('closed')
    await run(outage)
    await run(outage)
    await run(refusal)
    await run(outage)
    expect(breaker.state).toBe('closed')
  })

  it('takes what a client says of a lost connection for an outage', async () => {
    for (let i = 0; i < 3; i++) await run(new Error('Connection is closed.'))
    expect(breaker.state).toBe('open')
  })

  it('lets one operation try after a second, not a moment before, and the others meanwhile not', async () => {
    await open()
    await clock.advance(999)
    expect((await run()).tried).toBe(false)
    await clock.advance(1)
    const reply = deferred()
    const first = breaker.run(() => reply.promise)
    expect((await run()).tried).toBe(false)
    reply.resolve()
    await first
    expect(breaker.state).toBe('closed')
    expect((await run()).tried).toBe(true)
  })

  it('stays open for another second when that one fails', async () => {
    await open()
    await clock.advance(1000)
    expect((await run(outage)).tried).toBe(true)
    await clock.advance(999)
    expect((await run()).tried).toBe(false)
    await clock.advance(1)
    expect((await run()).tried).toBe(true)
    expect(breaker.state).toBe('closed')
  })

  it('names the instance, and nothing secret', async () => {
    await open()
    expect(String((await run()).error)).toContain('redis 127.0.0.1:6379')
  })

  it('takes an error that Redis answers for an answer, as each client shapes it', async () => {
    class SimpleError extends Error {} // node-redis
    for (const reply of [refusal, new SimpleError('READONLY')]) {
      for (let i = 0; i < 10; i++) expect((await run(reply)).tried).toBe(true)
    }
  })
})
