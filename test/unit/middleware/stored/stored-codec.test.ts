import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { storedCodec } from '../../../../src/middleware/stored/stored-codec.ts'
import { type StoredParts, StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'
import { VaryIndex } from '../../../../src/middleware/stored/vary-index.ts'

const PARTS: StoredParts = {
  status: 200,
  statusMessage: 'OK',
  fields: ['Content-Type', 'text/plain', 'Link', '</a>', 'Link', '</b>', 'X-Text', 'é'],
  removed: ['x-powered-by'],
  joins: ['server-timing'],
  body: Buffer.from([0, 255, 13, 10]),
  respondedAt: Date.UTC(2026, 0),
  lifetime: { age: 1, freshness: 2, staleWhileRevalidate: 3, staleIfError: 4 },
  mustValidate: false,
  explicit: true,
  selecting: [
    ['accept', 'text/html'],
    ['x-none', null],
  ],
}

function parts(value: unknown): StoredParts {
  expect(value).toBeInstanceOf(StoredResponse)
  const { status, statusMessage, fields, removed, joins, body, respondedAt, lifetime } = value as StoredResponse
  const { mustValidate, explicit, selecting } = value as StoredResponse
  return {
    status,
    statusMessage,
    fields,
    removed,
    joins,
    body,
    respondedAt,
    lifetime,
    mustValidate,
    explicit,
    selecting,
  }
}

/** What the codec would write if a response were like this. */
function encodedAs(changes: Record<string, unknown>): Uint8Array {
  return storedCodec.encode(Object.assign(Object.create(StoredResponse.prototype), PARTS, changes))
}

test('a response comes back as it was', () => {
  expect(parts(storedCodec.decode(storedCodec.encode(new StoredResponse(PARTS))))).toEqual(PARTS)
})

test('any body comes back byte for byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      const stored = storedCodec.encode(new StoredResponse({ ...PARTS, body: Buffer.from(bytes) }))
      expect(parts(storedCodec.decode(stored)).body.equals(bytes)).toBe(true)
    }),
  )
})

test('an index of variants comes back as it was', () => {
  const index = storedCodec.decode(storedCodec.encode(new VaryIndex('g', ['accept'])))
  expect(index).toBeInstanceOf(VaryIndex)
  expect((index as VaryIndex).describe()).toEqual({ generation: 'g', fields: ['accept'] })
})

describe('refused on the way out', () => {
  test.each([
    ['a value with a line break', { fields: ['X-A', 'b\r\nSet-Cookie: c'] }],
    ['a value with a NUL', { fields: ['X-A', 'b\0'] }],
    ['a value beyond Latin-1', { fields: ['X-A', '\u0100'] }],
    ['a name with a colon', { fields: ['X:A', 'b'] }],
    ['an empty name', { fields: ['', 'b'] }],
    ['a name without a value', { fields: ['X-A'] }],
    ['fields that are none', { fields: { 'X-A': 'b' } }],
    ['a value that is no text', { fields: ['X-A', 1] }],
    ['a reason with a line break', { statusMessage: 'OK\r\nX-A: b' }],
    ['a status below 200', { status: 101 }],
    ['a status of four digits', { status: 2000 }],
    ['a status that is no number', { status: '200' }],
    ['times that are none', { respondedAt: null }],
    ['a lifetime without windows', { lifetime: { age: 0, freshness: 1 } }],
    ['selecting fields that are none', { selecting: [['accept']] }],
    ['explicit that is neither', { explicit: 1 }],
  ])('%s', (_name, changes) => {
    expect(() => storedCodec.decode(encodedAs(changes))).toThrow()
  })

  test('every truncation', () => {
    const whole = storedCodec.encode(new StoredResponse(PARTS))
    for (let length = 0; length < whole.length; length++) {
      expect(() => storedCodec.decode(whole.subarray(0, length))).toThrow()
    }
  })

  test('another version, another kind, and noise', () => {
    const whole = storedCodec.encode(new StoredResponse(PARTS))
    expect(() => storedCodec.decode(Uint8Array.from(whole, (byte, index) => (index === 0 ? 9 : byte)))).toThrow()
    expect(() => storedCodec.decode(Uint8Array.from(whole, (byte, index) => (index === 1 ? 9 : byte)))).toThrow()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => storedCodec.decode(bytes)).toThrow()
      }),
    )
  })

  test('a description that reaches for prototypes', () => {
    const bytes = Buffer.from(encodedAs({}))
    const text = bytes.toString('latin1').replace('"status":200', '"__proto__":1')
    expect(() => storedCodec.decode(Buffer.from(text, 'latin1'))).toThrow()
  })
})
