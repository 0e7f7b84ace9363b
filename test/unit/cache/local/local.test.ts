import { beforeEach, describe, expect, it, vi } from 'vitest'
import { isolateLoaded } from '../../../../src/cache/local/isolation.ts'
import { Interest } from '../../../../src/cache/local/interest.ts'
import { Local } from '../../../../src/cache/local/local.ts'
import { Memory } from '../../../../src/cache/local/memory.ts'
import type { MemoryEntry } from '../../../../src/cache/local/memory-entry.ts'
import { fullKey } from '../../../../src/full-key.ts'
import { Flights } from '../../../../src/flight/flights.ts'
import { readable } from '../../../../src/redis/entry-keys.ts'
import { partOf } from '../../../../src/store/key-part.ts'
import { defaultCodec } from '../../../../src/store/codec.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const UNSYNCED = 1000
const FAILURE = { name: 'Error', message: 'down', origin: 'here' }

describe('Local', () => {
  let clock: FakeClock
  let local: Local
  const looks = {
    revoke: vi.fn<(key: string) => void>(),
    revokeWithin: vi.fn<(path: string) => void>(),
    revokeAll: vi.fn<() => void>(),
  }
  beforeEach(() => {
    clock = new FakeClock()
    local = localWith({ isAlone: true, isTracking: false })
  })

  function localWith(options: { isAlone: boolean; isTracking: boolean }): Local {
    const memory = new Memory({ maxEntries: 100 }, 0)
    const flights = new Flights(clock, () => expect.unreachable())
    const made = new Local(memory, flights, clock, { ...options, unsyncedTtl: UNSYNCED })
    looks.revoke.mockClear()
    looks.revokeAll.mockClear()
    made.watchOver(looks)
    return made
  }

  const isolated = (value: unknown) => isolateLoaded(value, defaultCodec)
  const lifeOf = (...tags: string[]) => {
    const freshUntil = clock.now() + 60_000
    return { freshUntil, staleUntil: freshUntil, errorUntil: freshUntil, loadTime: 0, tags }
  }
  const keep = (key: string, value: unknown, since = local.now, ...tags: string[]) =>
    local.keep(since, key, lifeOf(...tags), isolated(value))
  const inMemory = (key: string): unknown => {
    const entry = local.memory?.peek(key)
    return entry !== undefined && local.isFresh(entry, clock.now()) ? entry.value : undefined
  }

  const fail = (key: string, since = local.now, ...tags: string[]) =>
    local.keepFailure(since, key, FAILURE, { until: clock.now() + 60_000, tags })

  it.each<[string, (local: Local) => void]>([
    ['a change of the key', (local) => local.forget('a')],
    ['the end of one', (local) => local.endChange('a')],
    ['an invalidation of its tag', (local) => local.forgetTagged('t')],
    ['an expiry of the key', (local) => local.expire('a')],
    ['the end of one', (local) => local.endExpiry('a')],
    ['an expiry of its tag', (local) => local.expireTagged('t', 0)],
    ['a clear', (local) => local.forgetAll()],
    ['a gap', (local) => local.outdateAll()],
    ['the messages that arrive again', (local) => local.gainSync(false)],
  ])('after %s nothing is there, nobody joins, and nothing that was asked before is kept', (_name, change) => {
    keep('a', 'old', local.now, 't')
    fail('a', local.now, 't')
    local.flights.start('a')
    const since = local.now
    change(local)
    expect(inMemory('a')).toBeUndefined()
    fail('a', since, 't')
    expect(local.failureOf('a')).toBeUndefined()
    expect(local.flights.joinable('a')).toBeUndefined()
    keep('a', 'asked before', since, 't')
    expect(inMemory('a')).toBeUndefined()
    keep('a', 'asked after', local.now, 't')
    expect(inMemory('a')).toBe('asked after')
  })

  it('forgets nothing else with a key or a tag, but lets nobody join what may turn out to have the tag', () => {
    keep('a', 1)
    keep('b', 2, local.now, 'other')
    local.flights.start('b')
    const since = local.now
    local.forget('c')
    local.forgetTagged('t')
    expect([inMemory('a'), inMemory('b')]).toEqual([1, 2])
    expect(local.flights.joinable('b')).toBeUndefined()
    keep('d', 'without the tag', since, 'other')
    expect(inMemory('d')).toBe('without the tag')
  })

  it.each([false, true])('forgets what is in a namespace, and nothing else; with tracking: %s', (isTracking) => {
    local = localWith({ isAlone: true, isTracking })
    const keys = ['n%/', 'n%/inside%/', 'other%/', ''].map((path) => fullKey(path, 'a'))
    for (const key of keys) {
      keep(key, 'old')
      fail(key)
      local.flights.start(key)
      local.pass(key, 1000)
      local.backOff.failed(key, 0)
    }
    const pending = keys.map((key) => local.beginSet(`${key} set`))
    const since = local.now
    local.forgetWithin('n%/')
    const goneOrThere = [undefined, undefined, 'there', 'there']
    const seen = (test: (key: string) => unknown) => keys.map((key) => (test(key) ? 'there' : undefined))
    expect(seen(inMemory)).toEqual(goneOrThere)
    expect(seen((key) => local.flights.joinable(key))).toEqual(goneOrThere)
    expect(seen((key) => local.passesUntil(key) > 0)).toEqual(goneOrThere)
    expect(seen((key) => local.backOff.until(key) > 0)).toEqual(goneOrThere)
    expect(seen((key) => local.failureOf(key))).toEqual(goneOrThere)
    for (const each of pending) local.endSet(each, { life: lifeOf(), isolated: isolated('set') })
    expect(seen((key) => inMemory(`${key} set`))).toEqual(goneOrThere)
    for (const key of keys) keep(`${key} later`, 'asked before', since)
    expect(seen((key) => inMemory(`${key} later`))).toEqual(goneOrThere)
    for (const key of keys) keep(key, 'asked after')
    expect(seen(inMemory)).toEqual(['there', 'there', 'there', 'there'])
    expect(looks.revokeWithin).toHaveBeenCalledWith('n%/')
  })

  it('remembers a failure for its time, until there is a value, and no longer than changes are told', async () => {
    fail('a')
    expect(local.failureOf('a')?.value).toEqual(FAILURE)
    local.loseSync()
    await clock.advance(UNSYNCED)
    expect(local.failureOf('a')).toBeUndefined()
    local.gainSync(false)
    fail('a')
    const since = local.now
    local.endSetbacks(since, 'b')
    expect(local.failureOf('a')).toBeDefined()
    local.endSetbacks(since, 'a')
    expect(local.failureOf('a')).toBeUndefined()
    local.drop('a', fail('a'))
    expect(local.failureOf('a')).toBeUndefined()
    fail('a')
    await clock.advance(60_000)
    expect(local.failureOf('a')).toBeUndefined()
  })

  it('tells looks', () => {
    local.forget('a')
    expect(looks.revoke).toHaveBeenCalledWith('a')
    local.forgetTagged('t') // they find what has no tags
    expect(looks.revokeAll).not.toHaveBeenCalled()
    local.forgetAll()
    local.outdateAll()
    expect(looks.revokeAll).toHaveBeenCalledTimes(2)
  })

  describe('a set', () => {
    const end = (pending: ReturnType<Local['beginSet']>, value: unknown, ...tags: string[]): void =>
      local.endSet(pending, { life: lifeOf(...tags), isolated: isolated(value) })

    it('keeps its value, and nothing that was read in between', () => {
      keep('a', 'old')
      const pending = local.beginSet('a')
      expect(inMemory('a')).toBeUndefined()
      keep('a', 'read in between')
      const since = local.now
      end(pending, 'new', 't')
      expect(inMemory('a')).toBe('new')
      keep('a', 'read in between, too late', since)
      expect(inMemory('a')).toBe('new')
    })

    it.each<[string, (local: Local) => void, unknown]>([
      ['another change of the key', (local) => local.forget('a'), undefined],
      ['an invalidation of its tag', (local) => local.forgetTagged('t'), undefined],
      ['an invalidation of another tag', (local) => local.forgetTagged('other'), 'new'],
      ['a change of another key', (local) => local.forget('b'), 'new'],
      ['the end of a change that began before it', (local) => local.endChange('a'), 'new'],
      ['a gap', (local) => local.outdateAll(), undefined],
      ['a clear', (local) => local.forgetAll(), undefined],
    ])(
      'that %s crosses forgets all the same, and keeps its value only if that cannot matter',
      (_name, change, left) => {
        const pending = local.beginSet('a')
        change(local)
        keep('a', 'read in between')
        end(pending, 'new', 't')
        expect(inMemory('a')).toBe(left)
      },
    )

    it('beside another: the one that is answered last has the last word, if it also began last', () => {
      const [first, second] = [local.beginSet('a'), local.beginSet('a')]
      end(first, 1)
      expect(inMemory('a')).toBeUndefined()
      end(second, 2)
      expect(inMemory('a')).toBe(2)
      const [third, fourth] = [local.beginSet('a'), local.beginSet('a')]
      end(fourth, 4)
      expect(inMemory('a')).toBe(4)
      end(third, 3) // it had to ask something first
      expect(inMemory('a')).toBeUndefined()
    })

    it('that fails may have been carried out', () => {
      const pending = local.beginSet('a')
      keep('a', 'read in between')
      local.endSet(pending, undefined)
      expect(inMemory('a')).toBeUndefined()
    })
  })

  describe('without messages about changes', () => {
    beforeEach(() => {
      local = localWith({ isAlone: false, isTracking: false })
    })

    it('trusts what it keeps for a moment, and also afterwards no longer when they arrive for the first time', async () => {
      keep('a', 1)
      expect(inMemory('a')).toBe(1)
      const since = local.now
      local.gainSync(true)
      expect(inMemory('a')).toBe(1) // nobody has been told anything
      keep('b', 'asked before they arrived', since)
      keep('c', 'asked after')
      await clock.advance(UNSYNCED)
      expect([inMemory('a'), inMemory('b'), inMemory('c')]).toEqual([undefined, undefined, 'asked after'])
      expect(local.memory?.peek('a')?.value).toBe(1) // in place of a failure it may still be served
    })

    it('trusts what it has for a moment when they cease', async () => {
      local.gainSync(true)
      keep('a', 1)
      local.loseSync()
      await clock.advance(UNSYNCED - 1)
      keep('b', 2)
      expect([inMemory('a'), inMemory('b')]).toEqual([1, 2])
      await clock.advance(1)
      local.loseSync() // once more changes nothing
      expect([inMemory('a'), inMemory('b')]).toEqual([undefined, 2])
      local.gainSync(false)
      expect(local.memory?.size).toBe(0)
      keep('a', 3)
      await clock.advance(UNSYNCED)
      expect(inMemory('a')).toBe(3)
    })

    it('keeps for long what Redis has accepted, if it was sent while they arrived', () => {
      const since = local.now
      const kept = keep('a', 1, since)
      const early = { since, sentAt: local.now, kept }
      local.gainSync(true)
      local.keepCommitted(early, 'a', lifeOf(), isolated(1))
      expect(local.memory?.peek('a')).toBe(kept)
      local.keepCommitted({ ...early, sentAt: local.now }, 'a', lifeOf(), isolated(2))
      expect(local.memory?.peek('a')?.unsyncedUntil).toBe(Infinity)
    })

    it('does not where they may have been missed between the sending and the answer', () => {
      local.gainSync(true)
      const sent = { since: local.now, sentAt: local.now, kept: undefined }
      local.loseSync()
      local.gainSync(false)
      local.keepCommitted(sent, 'a', lifeOf(), isolated(1))
      expect(local.memory?.peek('a')).toBeUndefined()
    })
  })

  it('takes out of memory only what it is told to', () => {
    const first = keep('a', 1)
    const second = keep('a', 2)
    local.drop('a', first)
    local.drop('a', undefined)
    expect(inMemory('a')).toBe(2)
    local.drop('a', second)
    expect(inMemory('a')).toBeUndefined()
  })

  it('with tracking is told of keys in the form in which they stand in Redis', () => {
    local = localWith({ isAlone: true, isTracking: true })
    const keys = ['a', 'with {braces} and %', 'long '.repeat(100)]
    for (const key of keys) {
      keep(key, 'old')
      keep('another '.repeat(100), 'stays')
      local.flights.start(key)
      const since = local.now
      local.forgetForm(readable(key))
      expect(inMemory(key)).toBeUndefined()
      expect(local.flights.joinable(key)).toBeUndefined()
      keep(key, 'asked before', since)
      expect(inMemory(key)).toBeUndefined()
      expect(inMemory('another '.repeat(100))).toBe('stays')
    }
  })

  it('remembers for how long results of a key are not shareable', () => {
    expect(local.passesUntil('a')).toBe(0)
    local.pass('a', 5000)
    expect(local.passesUntil('a')).toBe(5000)
    local.forget('a')
    expect(local.passesUntil('a')).toBe(0)
  })

  it.each<[string, (local: Local) => void, boolean]>([
    ['an invalidation of the tag', (changed) => changed.forgetTagged('tag'), true],
    ['an expiry of the tag', (changed) => changed.expireTagged('tag', 0), true],
    ['a gap, which may have hidden one', (changed) => changed.outdateAll(), false],
  ])('tells of %s, which concerns nothing without tags', (_what, change, isKnown) => {
    const told = vi.fn<() => void>()
    const stop = local.whenTagsChange(told)
    const since = local.now
    change(local)
    expect(told).toHaveBeenCalledOnce()
    expect([['tag'], []].map((tags) => local.areTagsChanged(since, tags))).toEqual([isKnown ? true : undefined, false])
    expect(local.areTagsChanged(local.now, ['tag'])).toBe(false)
    stop()
    change(local)
    expect(told).toHaveBeenCalledOnce()
  })

  it('knows of an entry whether it, or a tag of it, was changed, or may have been', () => {
    const isUnchanged = (change: (local: Local) => void): boolean => {
      const since = local.now
      change(local)
      return local.isUnchanged(since, 'a', ['tag'])
    }
    expect(isUnchanged((changed) => changed.forget('b'))).toBe(true)
    expect(isUnchanged((changed) => changed.forgetTagged('other'))).toBe(true)
    expect(isUnchanged((changed) => changed.forget('a'))).toBe(false)
    expect(isUnchanged((changed) => changed.forgetTagged('tag'))).toBe(false)
    expect(isUnchanged((changed) => changed.outdateAll())).toBe(false)
  })
})

describe('Local of a process that hears only of what it holds', () => {
  const clock = new FakeClock()
  let local: Local
  let wanted: string[]
  beforeEach(() => {
    wanted = []
    const interest = new Interest({ hear: (part) => void wanted.push(part), leave: () => {} })
    const memory = new Memory({ maxEntries: 100 }, 0, interest)
    const flights = new Flights(clock, () => expect.unreachable(), interest)
    const options = { isAlone: false, isTracking: false, unsyncedTtl: UNSYNCED }
    local = new Local(memory, flights, clock, options, interest)
    local.gainSync(true)
  })

  const life = () => ({ ...endingAt(clock.now() + 60_000), loadTime: 0, tags: [] })
  const keep = (key: string, since = local.now) => local.keep(since, key, life(), isolateLoaded('value', defaultCodec))
  const isTrustedLater = (entry: MemoryEntry | undefined): boolean =>
    entry !== undefined && local.isFresh(entry, clock.now() + UNSYNCED)

  it('trusts an entry for a moment that was asked for before changes of its part arrive', () => {
    const since = local.now
    expect(isTrustedLater(keep('a', since))).toBe(false)
    expect(wanted).toEqual([partOf('a')])
    local.noteHeard([partOf('a')])
    expect(isTrustedLater(keep('a', since))).toBe(false)
    expect(isTrustedLater(keep('a'))).toBe(true)
    expect(isTrustedLater(keep('b'))).toBe(false)
    local.noteHeard([partOf('b')])
    expect(isTrustedLater(keep('b'))).toBe(true)
    expect(wanted).toEqual([partOf('a'), partOf('b')])
  })

  it('keeps what was committed for its whole ttl if it was sent after that', () => {
    const since = local.now
    const flight = local.flights.start('a')
    const kept = keep('a', since)
    const commit = (sentAt: number): MemoryEntry | undefined => {
      local.keepCommitted({ since, sentAt, kept }, 'a', life(), isolateLoaded('value', defaultCodec))
      return local.memory?.peek('a')
    }
    expect(isTrustedLater(commit(local.now))).toBe(false)
    local.noteHeard([partOf('a')])
    expect(isTrustedLater(commit(since))).toBe(false)
    expect(isTrustedLater(commit(local.now))).toBe(true)
    local.flights.end(flight)
  })

  it('lets nobody join a flight that began before, as changes since then may have been missed', () => {
    const before = local.flights.start('a')
    expect(local.flights.joinable('a')).toBe(before)
    const other = local.flights.start('b')
    local.noteHeard([partOf('a')])
    expect(local.flights.joinable('a')).toBeUndefined()
    expect(local.flights.joinable('b')).toBe(other)
    const after = local.flights.start('a')
    local.noteHeard([partOf('a')]) // of another instance, or after an interruption that has closed all
    expect(local.flights.joinable('a')).toBe(after)
  })

  it('trusts nothing while no messages arrive at all', () => {
    keep('a')
    local.noteHeard([partOf('a')])
    local.loseSync()
    expect(isTrustedLater(keep('a'))).toBe(false)
    local.gainSync(false)
    expect(isTrustedLater(keep('a'))).toBe(true)
  })
})

const endingAt = (freshUntil: number) => ({ freshUntil, staleUntil: freshUntil, errorUntil: freshUntil })
