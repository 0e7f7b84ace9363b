import { beforeEach, describe, expect, it } from 'vitest'
import { isolateLoaded } from '../../../../src/cache/local/isolation.ts'
import { Memory } from '../../../../src/cache/local/memory.ts'
import type { MemoryEntry } from '../../../../src/cache/local/memory-entry.ts'
import { defaultCodec } from '../../../../src/store/codec.ts'

const NOW = 1000
const OPTIONS = { tracking: false, unsyncedTtl: 1000 }
const entry = <V>(value: V, tags: string[] = []) => ({
  value,
  freshUntil: NOW + 100,
  staleUntil: NOW + 200,
  errorUntil: NOW + 300,
  loadTime: 5,
  tags,
})

describe('Memory', () => {
  const put = <V>(memory: Memory, key: string, value: V, tags?: string[]): void =>
    void memory.put(key, entry(value, tags), isolateLoaded<unknown>(value, defaultCodec) as never, NOW)

  let memory: Memory
  beforeEach(() => {
    memory = new Memory({ maxEntries: 3, maxBytes: undefined, ttl: undefined, ...OPTIONS }, 0)
  })

  it('hands every reader of a frozen value the same promise', async () => {
    put(memory, 'a', { n: 1 })
    const kept = memory.get('a') as MemoryEntry
    expect(kept.readLater()).toBe(kept.readLater())
    expect(await kept.readLater()).toBe(kept.read())
    expect(kept.trustedUntil).toBe(NOW + 100)
  })

  it('trusts a hit without a look only while both the entry and memory are within their ttl', () => {
    const short = new Memory({ maxEntries: 3, maxBytes: undefined, ttl: 40, ...OPTIONS }, 0)
    put(short, 'a', 1)
    expect(short.get('a')).toMatchObject({ trustedUntil: NOW + 40, memoryUntil: NOW + 40 })
    put(short, 'b', new Map())
    expect(short.get('b')?.trustedUntil).toBe(-1)
    const early = new Memory({ maxEntries: 3, maxBytes: undefined, ttl: undefined, ...OPTIONS }, 1)
    put(early, 'a', 1)
    expect(early.get('a')?.trustedUntil).toBe(NOW + 100 - 5 * 20)
  })

  it('ends the ttl of an entry at an instant; its windows follow from there, and never go beyond what they were', () => {
    put(memory, 'a', 1)
    memory.expire('a', NOW + 40, NOW)
    const ended = { freshUntil: NOW + 40, trustedUntil: NOW + 40, staleUntil: NOW + 140, errorUntil: NOW + 240 }
    expect(memory.get('a')).toMatchObject({ value: 1, ...ended })
    memory.expire('a', NOW + 60, NOW)
    expect(memory.get('a')).toMatchObject(ended)
    memory.expire('a', NOW - 1, NOW + 239)
    memory.expire('nothing', NOW, NOW)
    expect(memory.get('a')).toBeUndefined()
  })

  it('ends the ttl of what has a tag, each at its own instant, and of nothing else', () => {
    put(memory, 'a', 1, ['x'])
    put(memory, 'b', new Map(), ['x', 'y'])
    put(memory, 'c', 3, ['y'])
    memory.expireTagged('x', (key) => NOW + (key === 'a' ? 0 : 50), NOW)
    expect(['a', 'b', 'c'].map((key) => memory.get(key)?.freshUntil)).toEqual([NOW, NOW + 50, NOW + 100])
    expect(memory.get('b')?.trustedUntil).toBe(-1)
    memory.deleteTagged('x')
    expect(memory.size).toBe(1)
  })

  it('with early expiration looks closer at what is to expire soon', () => {
    const early = new Memory({ maxEntries: 3, maxBytes: undefined, ttl: undefined, ...OPTIONS }, 1)
    put(early, 'a', 1)
    early.expire('a', NOW + 90, NOW)
    expect(early.get('a')).toMatchObject({ freshUntil: NOW + 90, trustedUntil: NOW + 90 - 5 * 20 })
  })

  it('forgets all entries of a tag, and those only', () => {
    put(memory, 'a', 1, ['x', 'y'])
    put(memory, 'b', 2, ['y'])
    put(memory, 'c', 3)
    memory.deleteTagged('y')
    expect([memory.get('a'), memory.get('b'), memory.get('c')?.value]).toEqual([undefined, undefined, 3])
  })

  it('knows no tag any more of an entry that was replaced, evicted or cleared', () => {
    put(memory, 'a', 1, ['x'])
    put(memory, 'a', 2)
    memory.deleteTagged('x')
    expect(memory.get('a')?.value).toBe(2)
    put(memory, 'evicted', 1, ['x'])
    for (const key of ['b', 'c', 'd']) put(memory, key, 1)
    put(memory, 'evicted', 2)
    memory.deleteTagged('x')
    expect(memory.get('evicted')?.value).toBe(2)
    put(memory, 'cleared', 1, ['x'])
    memory.clear()
    put(memory, 'cleared', 2)
    memory.deleteTagged('x')
    expect(memory.get('cleared')?.value).toBe(2)
  })

  it('trusts what was kept out of sync for a moment only, also where its ttl is shorter than that', () => {
    memory.put('a', entry(1), isolateLoaded<unknown>(1, defaultCodec), NOW, NOW + 50)
    expect(memory.get('a')).toMatchObject({ trustedUntil: NOW + 50, freshUntil: NOW + 100, unsyncedUntil: NOW + 50 })
    memory.put('b', entry(1), isolateLoaded<unknown>(1, defaultCodec), NOW, NOW + 150)
    expect(memory.get('b')).toMatchObject({ trustedUntil: NOW + 100, unsyncedUntil: NOW + 150 })
  })

  it('drops what was not asked for, and what does not fit into its bytes', () => {
    for (const key of ['a', 'b', 'c']) put(memory, key, key)
    memory.get('a')
    put(memory, 'd', 'd')
    expect(['a', 'b', 'c', 'd'].filter((key) => memory.peek(key))).toEqual(['a', 'c', 'd'])
    const small = new Memory({ maxEntries: 100, maxBytes: 10, ttl: undefined, ...OPTIONS }, 0)
    put(small, 'a', 'aaaa')
    put(small, 'b', 'bbbb')
    expect(small.peek('a')).toBeUndefined()
    expect(() => put(small, 'b', 'much too large')).toThrow(RangeError)
    expect([small.size, small.bytes]).toEqual([0, 0])
  })

  it('takes any number of entries for a bound, without making room for all of them', () => {
    const large = new Memory({ maxEntries: 2 ** 53, maxBytes: undefined, ttl: undefined, ...OPTIONS }, 0)
    put(large, 'a', 1)
    expect([large.size, large.bytes]).toEqual([1, undefined])
  })
})
