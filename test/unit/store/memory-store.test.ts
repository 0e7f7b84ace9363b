import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../../src/store/memory-store.ts'

describe('MemoryStore', () => {
  it('drops the least recently used beyond its number of entries', () => {
    const store = new MemoryStore<{ n: number }>(2, undefined)
    store.set('a', { n: 1 }, undefined)
    store.set('b', { n: 2 }, undefined)
    store.get('a')
    store.set('c', { n: 3 }, undefined)
    expect([store.get('a'), store.get('b'), store.get('c')]).toEqual([{ n: 1 }, undefined, { n: 3 }])
    expect(store.size).toBe(2)
  })

  it('stays within its bytes, and keeps nothing that is larger, nor what that would replace', () => {
    const store = new MemoryStore<{ n: number }>(100, 10)
    store.set('a', { n: 1 }, 6)
    store.set('b', { n: 2 }, 6)
    expect([store.get('a'), store.get('b')]).toEqual([undefined, { n: 2 }])
    store.set('b', { n: 3 }, 11)
    expect(store.size).toBe(0)
  })

  it('takes an empty value for one byte, so that empty values are bounded too', () => {
    const store = new MemoryStore<{ n: number }>(100, 3)
    for (const key of ['a', 'b', 'c', 'd']) store.set(key, { n: 1 }, 0)
    expect(store.size).toBe(3)
  })

  it('has no time of its own: what nobody deletes stays', () => {
    const store = new MemoryStore<{ n: number }>(2, undefined)
    store.set('a', { n: 1 }, undefined)
    expect(store.get('a')).toEqual({ n: 1 })
    store.delete('a')
    expect(store.get('a')).toBeUndefined()
    store.set('__proto__', { n: 2 }, undefined)
    expect(store.get('__proto__')).toEqual({ n: 2 })
    store.clear()
    expect(store.size).toBe(0)
  })
})
