import { describe, expect, it } from 'vitest'
import { Changes } from '../../../../src/cache/local/changes.ts'

describe('Changes', () => {
  it('tell what was asked before a change of its key or of one of its tags from what was asked after', () => {
    const changes = new Changes()
    const before = changes.now
    changes.ofKey('a')
    changes.ofTag('t')
    expect(changes.noneSince(before, 'a', [])).toBe(false)
    expect(changes.noneSince(before, 'b', ['t'])).toBe(false)
    expect(changes.noneSince(before, 'b', ['u'])).toBe(true)
    expect(changes.noneSince(changes.now, 'a', ['t'])).toBe(true)
  })

  it('concern every key where all were cleared, and none where some may only have been missed', () => {
    const changes = new Changes()
    const before = changes.now
    changes.gap()
    expect([changes.noneSince(before, 'a', []), changes.noneMissedSince(before)]).toEqual([true, false])
    changes.ofAll()
    expect(changes.noneSince(before, 'a', [])).toBe(false)
    expect([changes.noneSince(changes.now, 'a', []), changes.noneMissedSince(changes.now)]).toEqual([true, true])
    changes.mark()
    expect(changes.noneSince(changes.now - 1, 'a', ['t'])).toBe(true)
  })

  it('count what was asked before the oldest that is remembered as changed', () => {
    const changes = new Changes()
    const before = changes.now
    for (let n = 0; n < 10_001; n++) changes.ofKey(`key ${n}`)
    expect(changes.noneSince(before, 'never changed', [])).toBe(false)
    expect(changes.noneSince(changes.now, 'never changed', [])).toBe(true)
    expect(changes.noneSince(before, 'never changed', [])).toBe(false)
    expect(changes.noneOfTagsSince(before, ['t'])).toBe(true)
  })
})
