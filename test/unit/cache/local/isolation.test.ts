import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { freezePlain } from '../../../../src/cache/local/isolation.ts'

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen)
}

describe('freezePlain', () => {
  it('freezes objects and arrays all the way down', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(freezePlain(value)).toBe(true)
        expect(isDeeplyFrozen(value)).toBe(true)
      }),
    )
  })

  it('freezes below what is frozen already', () => {
    const value = Object.freeze({ list: [1], inner: Object.freeze({ more: [2] }) })
    expect(freezePlain(value)).toBe(true)
    expect(isDeeplyFrozen(value)).toBe(true)
  })

  it.each([undefined, null, 0, '', false, 10n, Number.NaN])('takes %o for plain', (value) => {
    expect(freezePlain(value)).toBe(true)
  })

  it('freezes what is reached on two ways', () => {
    const shared = { list: [1] }
    const value = { a: shared, b: shared }
    expect(freezePlain(value)).toBe(true)
    expect(isDeeplyFrozen(value)).toBe(true)
  })

  class Point {
    x = 1
  }
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  it.each([
    ['a Date', new Date()],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a Buffer', Buffer.from('x')],
    ['a typed array', new Uint8Array(2)],
    ['an instance of a class', new Point()],
    ['a function', () => {}],
    ['a symbol', Symbol('x')],
    ['a promise', Promise.resolve()],
    ['a RegExp', /x/],
    ['an Error', new Error('x')],
    ['a cycle', cycle],
  ])('leaves %s alone, and what is around it', (_name, inner) => {
    const value = { inner, list: [1] }
    expect(freezePlain(value)).toBe(false)
    expect(freezePlain([inner])).toBe(false)
    expect([Object.isFrozen(value), Object.isFrozen(value.list)]).toEqual([false, false])
  })

  it('does not run getters, nor call what has one plain', () => {
    const value = {
      get bomb(): never {
        throw new Error('boom')
      },
    }
    expect(freezePlain(value)).toBe(false)
  })
})
