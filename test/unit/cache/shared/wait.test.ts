import { beforeEach, describe, expect, it } from 'vitest'
import { Wait } from '../../../../src/cache/shared/wait.ts'
import { Agenda } from '../../../../src/lock/agenda.ts'
import type { Notice } from '../../../../src/store/notice.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'

type Seen = Notice<string> | undefined | 'waiting'
const PASS: Notice<string> = { kind: 'pass' }
const LOCAL: Notice<string> = { kind: 'local' }
const SOON: Notice<string> = { kind: 'again', within: 0 }
const SPREAD: Notice<string> = { kind: 'again', within: 80 }

describe('Wait', () => {
  let clock: FakeClock
  let random: FakeRandom
  let wait: Wait<string>
  let stopped: number
  const listening = (): (() => void)[] => [() => void stopped++]
  beforeEach(() => {
    clock = new FakeClock()
    random = new FakeRandom()
    wait = new Wait(clock, random, new Agenda(clock))
    stopped = 0
  })

  /** What it has come to so far. */
  async function peek(ended: Promise<Notice<string> | undefined>): Promise<Seen> {
    await clock.settle()
    return Promise.race([ended, Promise.resolve('waiting' as const)])
  }

  it('ends with the first notice, stops to listen, and leaves no timer', async () => {
    const ended = wait.begin(100, 1000, listening)
    expect(await peek(ended)).toBe('waiting')
    wait.deliver(PASS)
    wait.deliver(LOCAL)
    wait.interrupt()
    expect(await ended).toBe(PASS)
    expect([stopped, clock.pendingTimers]).toEqual([1, 0])
  })

  it('ends at once with a notice that has come before it listens', async () => {
    const ended = wait.begin(100, 1000, ({ deliver }) => {
      deliver(PASS)
      return listening()
    })
    expect(await ended).toBe(PASS)
    expect([stopped, clock.pendingTimers]).toEqual([1, 0])
  })

  it('does not begin if it was interrupted before', async () => {
    wait.interrupt()
    expect(await wait.begin(100, 1000, () => expect.unreachable())).toBeUndefined()
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([
    ['it is time to look', 100, 1000],
    ['it is over', 1000, 100],
  ])('ends without a notice when %s, not a moment before', async (_what, lookAfter, ms) => {
    const ended = wait.begin(lookAfter, ms, listening)
    await clock.advance(99)
    expect(await peek(ended)).toBe('waiting')
    await clock.advance(1)
    expect(await peek(ended)).toBeUndefined()
    expect(stopped).toBe(1)
  })

  it('ends at once if there is no time', async () => {
    const ended = wait.begin(100, -1, listening)
    await clock.advance(0)
    expect(await peek(ended)).toBeUndefined()
  })

  it('ends at once when it is told to look at once', async () => {
    const ended = wait.begin(100, 1000, listening)
    wait.deliver(SOON)
    expect(await ended).toBe(SOON)
  })

  describe('told to look when others do, too', () => {
    it.each([
      ['looks at a moment of its own', 0.5, 1000, 40],
      ['leaves half of its time for the look', 1, 100, 50],
    ])('%s', async (_what, chance, ms, at) => {
      random.force(chance)
      const ended = wait.begin(10, ms, listening)
      wait.deliver(SPREAD)
      await clock.advance(at - 1)
      expect(await peek(ended)).toBe('waiting')
      await clock.advance(1)
      expect(await peek(ended)).toBe(SPREAD)
    })

    it.each([
      ['a notice', PASS],
      ['another call to look', SPREAD],
    ])('ends with %s that comes meanwhile', async (_what, notice) => {
      const ended = wait.begin(100, 1000, listening)
      wait.deliver({ ...SPREAD } as Notice<string>)
      wait.deliver(notice)
      expect(await ended).toBe(notice)
    })

    it('looks at once if it may have missed something', async () => {
      const ended = wait.begin(100, 1000, listening)
      wait.deliver(SPREAD)
      wait.interrupt()
      expect(await ended).toBe(SPREAD)
    })
  })
})
