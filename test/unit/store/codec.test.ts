import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SerializationError } from '../../../src/errors.ts'
import { defaultCodec } from '../../../src/store/codec.ts'

/** What another process makes of the bytes. They are copied, as they would be by a socket. */
const roundTrip = (value: unknown): unknown => defaultCodec.decode(Uint8Array.from(defaultCodec.encode(value)))

/** `toEqual` takes an absent field for one that is undefined, and -0 for 0: a codec must not. */
function expectSame(value: unknown): void {
  const back = roundTrip(value)
  expect(back).toStrictEqual(value)
  expect(Object.is(back, value) || typeof value === 'object').toBe(true)
}

describe('defaultCodec', () => {
  class Point {
    x = 1
  }
  const cycle: { list: unknown[] } = { list: [] }
  cycle.list.push(cycle)

  it.each([
    ['null', null],
    ['zero', 0],
    ['minus zero', -0],
    ['an empty text', ''],
    ['false', false],
    ['NaN', Number.NaN],
    ['Infinity', Infinity],
    ['a lone surrogate', 'a\ud800b'],
    ['a lone surrogate inside a Map', new Map([['\udc00', '\ud800']])],
    ['U+2028', '\u2028\u2029\0'],
    ['a text of megabytes', 'ü'.repeat(1 << 20)],
    ['a BigInt', 123456789012345678901234567890n],
    ['a Date', new Date(0)],
    ['an invalid Date', new Date(Number.NaN)],
    [
      'a Map',
      new Map<unknown, unknown>([
        ['a', new Map([[1, -0]])],
        [Number.NaN, null],
      ]),
    ],
    ['a Set', new Set([1, 'a', undefined])],
    ['an undefined field', { a: undefined, b: 1 }],
    ['undefined in an array', [undefined, null]],
    ['-0, NaN and Infinity in an array', [-0, Number.NaN, Infinity, -Infinity]],
    ['a hole', [1, , 3]], // oxlint-disable-line no-sparse-arrays
    ['a RegExp', /a"b/gi],
    ['a Uint8Array', Uint8Array.of(0, 255)],
    ['a typed array inside', { a: Float64Array.of(-0, 1.5), b: new ArrayBuffer(3) }],
    ['an empty object', {}],
    ['a deep tree', Array.from({ length: 150 }).reduce<unknown>((inner) => [inner], 'core')],
    ['a field called toJSON', { toJSON: 1 }],
    ['fields called as methods of Object', { hasOwnProperty: 1, toString: 2 }],
  ])('gives back %s as it was', (_name, value) => {
    expectSame(value)
  })

  it('gives back a Buffer as a Buffer, alone and inside', () => {
    const buffer = Buffer.from([0, 1, 255])
    for (const back of [roundTrip(buffer), (roundTrip({ buffer }) as { buffer: unknown }).buffer]) {
      expect(Buffer.isBuffer(back)).toBe(true)
      expect(back).toEqual(buffer)
    }
    expect(Buffer.isBuffer(roundTrip(Uint8Array.of(1)))).toBe(false)
  })

  it('gives back an object without a prototype, and one thing reached on two ways as one', () => {
    const bare = Object.assign(Object.create(null) as object, { a: 1 })
    expect(Object.getPrototypeOf(roundTrip(bare))).toBe(null)
    const shared = new Date(0)
    const back = roundTrip({ a: shared, b: shared }) as { a: Date; b: Date }
    expect(back.a).toBe(back.b)
  })

  it('gives back a cycle', () => {
    const back = roundTrip(cycle) as typeof cycle
    expect(back.list[0]).toBe(back)
  })

  it('gives back whatever JSON can say, written as JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        fc.pre(!Object.is(value, -0) && !JSON.stringify(value).includes('__proto__') && !hasMinusZero(value))
        const bytes = defaultCodec.encode(value)
        expect(Buffer.from(bytes).toString()).toBe(`J${JSON.stringify(value)}`)
        expectSame(value)
      }),
    )
  })

  it('gives back whatever is made of Dates, Maps, Sets, BigInts, odd numbers and undefined', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      key: fc.string().filter((name) => name !== '__proto__'),
    })
    fc.assert(
      fc.property(anything, (value) => value === undefined || expectSame(value)),
      { numRuns: 500 },
    )
  })

  it('never gives back something else: what it cannot say it refuses', () => {
    const anything = fc.anything({ withBoxedValues: true, withNullPrototype: true, withObjectString: true })
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = catching(() => defaultCodec.encode(value))
        const back = bytes instanceof Uint8Array ? defaultCodec.decode(bytes) : value
        expect(back).toStrictEqual(value)
        expect(bytes instanceof Uint8Array || bytes instanceof SerializationError).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['a function', () => {}],
    ['a symbol', Symbol('x')],
    ['a promise', Promise.resolve()],
    ['a throwing getter', Object.defineProperty({}, 'a', { enumerable: true, get: fail })],
    ['an instance of a class', new Point()],
    ['an Error', new Error('x')],
    ['a WeakMap', new WeakMap()],
    ['a method', { run() {} }],
    ['toJSON', { toJSON: () => 1 }],
    ['a symbol as a field name', { [Symbol('x')]: 1 }],
    ['a subclass of Array', new (class Row extends Array {})()],
    ['a subclass of Map', new (class Index extends Map {})()],
    ['an array with further fields', Object.assign([1], { total: 1 })],
    ['what is deeper than the stack', Array.from({ length: 100_000 }).reduce<unknown>((inner) => [inner], 1)],
  ])('refuses %s, alone and inside, with a SerializationError', (_name, value) => {
    for (const whole of [value, { value }, [1, value], new Map([[1, value]])]) {
      expect(() => defaultCodec.encode(whole)).toThrow(SerializationError)
    }
  })

  it('gives back a field called __proto__ as it was, which pollutes nothing', () => {
    const value: unknown = JSON.parse('{"a":[{"__proto__":{"polluted":true}}],"__proto__":1}')
    const decoded = defaultCodec.decode(defaultCodec.encode(value))
    expect(JSON.stringify(decoded)).toBe(JSON.stringify(value))
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(() => defaultCodec.encode(new Map([[1, value]]))).toThrow(SerializationError)
  })

  it('keeps what the value threw as the cause', () => {
    const caught = catching(() => defaultCodec.encode(Object.defineProperty({}, 'a', { enumerable: true, get: fail })))
    expect(caught).toMatchObject({ code: 'SERIALIZATION', cause: { message: 'the getter failed' } })
  })

  it.each([
    '',
    'X',
    'J',
    'J{',
    'J{}x',
    'R',
    'R[',
    'R[[1]]',
    'R[["Map",1]]',
    'R[["Evil",1],0]',
    'R{"a":1}',
    'J{"__proto__":{"polluted":true}}',
    'J[{"a":{"__proto__":1}}]',
    'J{"\\u005f_proto__":{"polluted":true}}',
    'R[{"__proto__":1},{"polluted":2},true]',
    'R[["null","__proto__",1],true]',
  ])('throws for hostile bytes %j, which pollute nothing', (text) => {
    expect(() => defaultCodec.decode(Buffer.from(text))).toThrow()
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it.each([{ text: '__proto__' }, ['"__proto__":'], { a: '\u0001__proto__' }])('allows the text in %j', (value) => {
    expectSame(value)
  })

  it('throws or answers, whatever the bytes', () => {
    const bytes = fc.tuple(fc.constantFrom('J', 'R', 'B', 'U', 'X'), fc.oneof(fc.json(), fc.string({ unit: 'binary' })))
    fc.assert(
      fc.property(bytes, ([tag, text]) => {
        catching(() => defaultCodec.decode(Buffer.from(tag + text)))
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
      }),
    )
  })
})

function hasMinusZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasMinusZero)
  return Object.is(value, -0)
}

function fail(): never {
  throw new Error('the getter failed')
}

function catching(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
