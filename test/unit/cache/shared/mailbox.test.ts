import { beforeEach, describe, expect, it } from 'vitest'
import { Mailbox } from '../../../../src/cache/shared/mailbox.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

describe('Mailbox', () => {
  let clock: FakeClock
  let mailbox: Mailbox<string>
  beforeEach(() => {
    clock = new FakeClock()
    mailbox = new Mailbox(clock)
  })

  /** What a wait of `ms` has come to so far. */
  async function peek(wait: Promise<string>): Promise<string> {
    await clock.settle()
    return Promise.race([wait, Promise.resolve('waiting')])
  }

  it('hands over a message that comes while somebody waits', async () => {
    const wait = mailbox.next(100)
    expect(await peek(wait)).toBe('waiting')
    mailbox.deliver('news')
    expect(await wait).toBe('news')
    expect(clock.pendingTimers).toBe(0)
  })

  it('keeps a message that comes while nobody looks', async () => {
    mailbox.deliver('news')
    expect(await mailbox.next(100)).toBe('news')
    expect(await peek(mailbox.next(100))).toBe('waiting')
  })

  it('keeps an interruption that comes while nobody looks, once', async () => {
    mailbox.interrupt()
    expect(await mailbox.next(100)).toBe('interrupted')
    expect(await peek(mailbox.next(100))).toBe('waiting')
  })

  it('prefers a message to an interruption', async () => {
    mailbox.interrupt()
    mailbox.deliver('news')
    expect(await mailbox.next(100)).toBe('news')
  })

  it('ends when the time is over, not a moment before', async () => {
    const wait = mailbox.next(100)
    await clock.advance(99)
    expect(await peek(wait)).toBe('waiting')
    await clock.advance(1)
    expect(await wait).toBe('time-over')
  })

  it('wakes nobody twice', async () => {
    const wait = mailbox.next(100)
    mailbox.interrupt()
    mailbox.deliver('news')
    expect(await wait).toBe('interrupted')
    expect(await mailbox.next(100)).toBe('news')
  })
})
