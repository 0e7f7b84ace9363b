import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isolateLoaded, isolateRead, readOf } from '../../../../src/cache/local/isolation.ts'
import { SerializationError } from '../../../../src/errors.ts'
import { defaultCodec, type Codec, type Encoded } from '../../../../src/store/codec.ts'
import type { ReadEntry } from '../../../../src/store/entry.ts'

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen)
}

const NEVER = { freshUntil: 0, staleUntil: 0, errorUntil: 0, loadTime: 0, tags: [] }

function readEntry<V>(make: () => V): ReadEntry<V> {
  return { ...NEVER, value: make(), bytes: 1, again: make }
}

const MUTABLE: [string, () => unknown, (value: never) => void][] = [
  ['a Buffer', () => Buffer.from('abc'), (copy: Buffer) => copy.fill(0)],
  ['a Uint8Array', () => Uint8Array.of(1, 2), (copy: Uint8Array) => copy.fill(0)],
  ['a Map', () => new Map([['a', 1]]), (copy: Map<string, number>) => copy.clear()],
  ['a Date', () => new Date(5), (copy: Date) => copy.setTime(0)],
  ['a typed array inside', () => ({ a: Float32Array.of(1) }), (copy: { a: Float32Array }) => copy.a.fill(0)],
  ['a cycle', cycle, (copy: { self: { n: number } }) => (copy.self.n = 9)],
  ['an array with holes', () => [1, , 3], (copy: unknown[]) => copy.pop()], // oxlint-disable-line no-sparse-arrays
]

function cycle(): unknown {
  const value: { self?: unknown; n: number } = { n: 1 }
  value.self = value
  return value
}

describe('isolateLoaded', () => {
  it('leaves what it is given as it is, and hands out a frozen copy of what is plain', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (given) => {
        const value: unknown = structuredClone(given)
        const isolated = isolateLoaded(value, defaultCodec)
        expect(isolated.copy).toBeUndefined()
        expect(isolated.value).toEqual(value)
        expect(isDeeplyFrozen(isolated.value)).toBe(true)
        expect(value).toSatisfy((own) => typeof own !== 'object' || own === null || !Object.isFrozen(own))
      }),
    )
  })

  it('encodes as the codec does', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true }), (value) => {
        expect(encoded(() => isolateLoaded(value, defaultCodec).encode())).toEqual(
          encoded(() => defaultCodec.encode(value)),
        )
      }),
    )
  })

  /** What comes of it, or why nothing does: some values cannot be encoded. */
  function encoded(encode: () => Encoded): string {
    try {
      return Buffer.from(encode() as Uint8Array).toString('hex')
    } catch (error) {
      return String(error)
    }
  }

  it('refuses what the codec refuses', () => {
    const value: unknown = { ...(JSON.parse('{"__proto__":1}') as object), at: new Date(0) }
    Object.defineProperty(value, '__proto__', { value: 1, enumerable: true })
    expect(encoded(() => isolateLoaded(value, defaultCodec).encode())).toContain('SerializationError')
  })

  it('encodes only when asked, once', () => {
    const isolated = isolateLoaded<unknown>({ list: [1] }, defaultCodec)
    expect(isolated.encode()).toBe(isolated.encode())
    expect(isolated.size()).toBe(Buffer.byteLength(isolated.encode()))
  })

  it.each([undefined, null, 0, '', false, 10n, Number.NaN])('takes %o for what nobody can change', (value) => {
    expect(isolateLoaded<unknown>({ value }, defaultCodec).value).toEqual({ value })
    expect(isolateLoaded<unknown>(value, defaultCodec).copy).toBeUndefined()
  })

  it('copies a field called __proto__ as a field', () => {
    const value: unknown = JSON.parse('{"__proto__":{"a":1},"b":2}')
    const copy = isolateLoaded(value, defaultCodec).value as object
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"a":1},"b":2}')
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
    expect(isDeeplyFrozen(copy)).toBe(true)
  })

  it.each(MUTABLE)('copies %s for each reader, from what it was at first', (_name, make, change) => {
    const value = make()
    const isolated = isolateLoaded(value, defaultCodec)
    change(value as never)
    for (let reader = 0; reader < 3; reader++) {
      const own = readOf(isolated)
      expect(own).toEqual(make())
      change(own as never)
    }
  })

  it('reads a proxy once, so that it may be revoked later', () => {
    const { proxy, revoke } = Proxy.revocable({ list: [1] }, {})
    const isolated = isolateLoaded<unknown>({ proxy }, defaultCodec)
    revoke()
    expect(readOf(isolated)).toEqual({ proxy: { list: [1] } })
  })

  it.each([
    ['a method', { run() {} }],
    ['a symbol', Symbol('x')],
    ['an instance of a class', new (class Decimal {})()],
    ['a match', /a/.exec('a')],
    ['a field named by a symbol', { [Symbol('x')]: 1 }],
    ['a getter that throws', Object.defineProperty({}, 'a', { enumerable: true, get: () => JSON.parse('{') })],
    ['a revoked proxy', revoked()],
  ])('throws for %s, which can be neither copied nor encoded', (_name, value) => {
    expect(() => isolateLoaded<unknown>({ value }, defaultCodec)).toThrow(SerializationError)
  })

  it('copies by the codec that a caller brings, and shares what that says nobody changes', () => {
    const codec: Codec<Date> = {
      encode: (date) => Buffer.from(date.toISOString()),
      decode: (bytes) => new Date(Buffer.from(bytes).toString()),
    }
    const value = new Date(5)
    const isolated = isolateLoaded(value, codec)
    expect(readOf(isolated)).toEqual(value)
    expect(readOf(isolated)).not.toBe(value)
    expect(readOf(isolateLoaded(value, { ...codec, immutable: true }))).toBe(value)
  })
})

describe('isolateRead', () => {
  it('freezes what is plain in place: it is of nobody else', () => {
    const entry = readEntry(() => ({ list: [{ a: 1 }] }))
    const isolated = isolateRead(entry, defaultCodec as Codec<{ list: { a: number }[] }>)
    expect(isolated.value).toBe(entry.value)
    expect(isolated.copy).toBeUndefined()
    expect(isDeeplyFrozen(entry.value)).toBe(true)
  })

  it.each(MUTABLE.filter(([name]) => !name.includes('holes')))(
    'decodes %s anew for each reader',
    (_name, make, change) => {
      const isolated = isolateRead(readEntry(make), defaultCodec)
      for (let reader = 0; reader < 3; reader++) {
        const own = readOf(isolated)
        expect(own).toEqual(make())
        change(own as never)
      }
    },
  )
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
