import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { defaultCodec } from '../../../src/store/codec.ts'
import { compressed } from '../../../src/store/compressed-codec.ts'

describe('compressed', () => {
  const codec = compressed({ above: 100 })

  test('gives back what was put in, compressed or not', () => {
    for (const value of ['short', 'long '.repeat(100), new Map([['a', new Date(5)]]), randomBytes(1000), null]) {
      expect(codec.decode(codec.encode(value))).toEqual(value)
    }
  })

  test('compresses from the given size on, and only from there', () => {
    expect(codec.encode('x'.repeat(10_000)).byteLength).toBeLessThan(200)
    const small = 'x'.repeat(50)
    expect(codec.encode(small).byteLength).toBe(defaultCodec.encode(small).byteLength + 1)
  })

  test('throws on bytes that it did not make', () => {
    for (const bytes of [Buffer.from(''), Buffer.from('q'), Buffer.from('z'), Buffer.from('zzzz'), randomBytes(50)]) {
      expect(() => codec.decode(bytes)).toThrow()
    }
  })

  test.each([-1, 1.5, Number.NaN, '1'])('refuses above: %o', (above) => {
    expect(() => compressed({ above: above as number })).toThrow(/^above must be/)
  })
})
