import { beforeEach, describe, expect, it } from 'vitest'
import { isolate, Memory } from '../../../../src/cache/local/memory.ts'
import type { MemoryEntry } from '../../../../src/cache/local/memory-entry.ts'
import { SerializationError } from '../../../../src/errors.ts'
import { defaultCodec, type Codec } from '../../../../src/store/codec.ts'

const NOW = 1000
const entry = <V>(value: V, tags: string[] = []) => ({
  value,
  freshUntil: NOW + 100,
  staleUntil: NOW + 200,
  errorUntil: NOW + 300,
  loadTime: 5,
  tags,
})

describe('isolate', () => {
  it('shares what it can freeze, and encodes only when asked, once', () => {
    const value = { list: [1] }
    const isolated = isolate(value, defaultCodec as Codec<typeof value>, true)
    expect(isolated.copy).toBeUndefined()
    expect(Object.isFrozen(value.list)).toBe(true)
    expect(isolated.encode()).toBe(isolated.encode())
  })

  it.each([
    ['a Buffer', Buffer.from('abc'), (copy: Buffer) => copy.fill(0)],
    ['a Uint8Array', Uint8Array.of(1, 2), (copy: Uint8Array) => copy.fill(0)],
    ['a Map', new Map([['a', 1]]), (copy: Map<string, number>) => copy.clear()],
    ['a Date', new Date(5), (copy: Date) => copy.setTime(0)],
    ['a typed array inside', { a: Float32Array.of(1) }, (copy: { a: Float32Array }) => copy.a.fill(0)],
  ])('copies %s for each reader, from what it was at first', (_name, value, change) => {
    const asItWas = structuredClone(value)
    const { copy } = isolate<unknown>(value, defaultCodec, true)
    for (let reader = 0; reader < 3; reader++) {
      const own = copy?.()
      expect(own).not.toBe(value)
      expect(Buffer.isBuffer(own) ? new Uint8Array(own) : own).toEqual(asItWas)
      change(own as never)
      change(value as never)
    }
  })

  it('shares as it is what comes with a codec of its own', () => {
    const codec: Codec<Date> = { encode: () => Uint8Array.of(1), decode: () => new Date(0) }
    const value = new Date(5)
    expect(isolate(value, codec, true).copy).toBeUndefined()
    expect(Object.isFrozen(value)).toBe(false)
  })

  it('throws for what it can neither freeze nor copy', () => {
    expect(() => isolate<unknown>({ run() {} }, defaultCodec, true)).toThrow(SerializationError)
  })
})

describe('Memory', () => {
  const put = <V>(memory: Memory, key: string, value: V, tags?: string[]): void =>
    memory.put(key, entry(value, tags), isolate<unknown>(value, defaultCodec, true) as never, NOW)

  let memory: Memory
  beforeEach(() => {
    memory = new Memory({ maxEntries: 3, maxBytes: undefined, ttl: undefined, tracking: false }, 0)
  })

  it('hands every reader of a frozen value the same promise', async () => {
    put(memory, 'a', { n: 1 })
    const kept = memory.get('a') as MemoryEntry
    expect(kept.readLater()).toBe(kept.readLater())
    expect(await kept.readLater()).toBe(kept.read())
    expect(kept.trustedUntil).toBe(NOW + 100)
  })

  it('trusts a hit without a look only while both the entry and memory are within their ttl', () => {
    const short = new Memory({ maxEntries: 3, maxBytes: undefined, ttl: 40, tracking: false }, 0)
    put(short, 'a', 1)
    expect(short.get('a')).toMatchObject({ trustedUntil: NOW + 40, memoryUntil: NOW + 40 })
    put(short, 'b', new Map())
    expect(short.get('b')?.trustedUntil).toBe(-1)
    const early = new Memory({ maxEntries: 3, maxBytes: undefined, ttl: undefined, tracking: false }, 1)
    put(early, 'a', 1)
    expect(early.get('a')?.trustedUntil).toBe(NOW + 100 - 5 * 20)
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
})
