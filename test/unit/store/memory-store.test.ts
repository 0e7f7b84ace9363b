import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../../src/store/memory-store.ts'

interface Item {
  used: boolean
  readonly n: number
}

const item = (n: number): Item => ({ n, used: false })
const keysOf = (store: MemoryStore<Item>): string[] => Array.from('abcdefgh').filter((key) => store.peek(key))

describe('MemoryStore', () => {
  it('drops what was not asked for, the oldest first, beyond its number of entries', () => {
    const store = new MemoryStore<Item>(3, undefined)
    for (const [n, key] of ['a', 'b', 'c'].entries()) store.set(key, item(n), undefined)
    store.get('a')
    store.set('d', item(3), undefined)
    expect(keysOf(store)).toEqual(['a', 'c', 'd'])
    store.set('e', item(4), undefined)
    expect(keysOf(store)).toEqual(['a', 'd', 'e'])
    expect(store.size).toBe(3)
  })

  it('drops what was used long ago before what was used since', () => {
    const store = new MemoryStore<Item>(2, undefined)
    store.set('a', item(1), undefined)
    store.set('b', item(2), undefined)
    store.get('a')
    store.get('b')
    store.set('c', item(3), undefined) // all were used: the hand goes round and takes the first
    expect(keysOf(store)).toEqual(['b', 'c'])
    store.get('c')
    store.set('d', item(4), undefined)
    expect(keysOf(store)).toEqual(['c', 'd'])
  })

  it('keeps what is used through a reader of everything', () => {
    const store = new MemoryStore<Item>(10, undefined)
    store.set('a', item(0), undefined)
    for (let n = 0; n < 1000; n++) {
      if (n % 5 === 0) store.get('a')
      store.set(`once ${n}`, item(n), undefined)
    }
    expect(store.peek('a')).toEqual({ n: 0, used: true })
    expect(store.size).toBe(10)
  })

  it('does not count a peek as a use', () => {
    const store = new MemoryStore<Item>(2, undefined)
    store.set('a', item(1), undefined)
    store.set('b', item(2), undefined)
    store.peek('a')
    store.set('c', item(3), undefined)
    expect(keysOf(store)).toEqual(['b', 'c'])
  })

  it('stays within its bytes, and keeps nothing that is larger, nor what that would replace', () => {
    const store = new MemoryStore<Item>(100, 10)
    store.set('a', item(1), 6)
    store.set('b', item(2), 6)
    expect(keysOf(store)).toEqual(['b'])
    expect(store.bytes).toBe(6)
    store.set('b', item(3), 11)
    expect([store.size, store.bytes]).toEqual([0, 0])
  })

  it('takes an empty value for one byte, so that empty values are bounded too', () => {
    const store = new MemoryStore<Item>(100, 3)
    for (const key of ['a', 'b', 'c', 'd']) store.set(key, item(1), 0)
    expect(store.size).toBe(3)
  })

  it('has no time of its own: what nobody deletes stays', () => {
    const store = new MemoryStore<Item>(2, undefined)
    store.set('a', item(1), undefined)
    expect(store.get('a')?.n).toBe(1)
    store.delete('a')
    expect(store.get('a')).toBeUndefined()
    store.set('__proto__', item(2), undefined)
    expect(store.get('__proto__')?.n).toBe(2)
    store.clear()
    expect(store.size).toBe(0)
  })

  it('tells of every item that goes, once, and is within its bounds, whatever is done to it', () => {
    const key = fc.constantFrom(...Array.from('abcdefgh'))
    const action = fc.oneof(
      fc.record({ do: fc.constant('set' as const), key, bytes: fc.integer({ min: 0, max: 12 }) }),
      fc.record({ do: fc.constantFrom('get' as const, 'peek' as const, 'delete' as const), key }),
      fc.record({ do: fc.constant('clear' as const) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), fc.boolean(), (actions, isSized) => {
        const present = new Map<string, Item>()
        const store = new MemoryStore<Item>(4, isSized ? 10 : undefined, (gone, name) => {
          expect(present.get(name)).toBe(gone)
          present.delete(name)
        })
        for (const [n, each] of actions.entries()) {
          if (each.do === 'set') {
            const made = item(n)
            store.set(each.key, made, isSized ? each.bytes : undefined)
            if (!isSized || each.bytes <= 10) present.set(each.key, made)
          } else if (each.do === 'clear') store.clear()
          else if (each.do === 'delete') store.delete(each.key)
          else store[each.do](each.key)
          for (const name of 'abcdefgh') expect(store.peek(name)).toBe(present.get(name))
          expect(store.size).toBe(present.size)
          expect(store.size).toBeLessThanOrEqual(4)
          expect(store.bytes).toBeLessThanOrEqual(10)
        }
        store.clear()
        expect([present.size, store.size, store.bytes]).toEqual([0, 0, 0])
      }),
    )
  })
})
