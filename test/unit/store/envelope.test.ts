import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sealed } from '../../support/sealed.ts'
import { decodeEnvelope, encodeEnvelope, HEADER_LENGTH, type Envelope } from '../../../src/store/envelope.ts'

const instant = fc.integer({ min: 0, max: 9_999_999_999_999 })
const envelope: fc.Arbitrary<Envelope> = fc.record({
  kind: fc.constantFrom('value', 'pass', 'local'),
  freshUntil: instant,
  staleUntil: instant,
  errorUntil: instant,
  loadTime: fc.integer({ min: 0, max: 9_999_999_999 }),
  tags: fc.array(
    fc.tuple(
      fc.string({ unit: 'binary' }).filter((tag) => tag.isWellFormed()),
      fc.maxSafeNat(),
    ),
  ),
  payload: fc.uint8Array({ maxLength: 300 }),
})

const sample: Envelope = {
  kind: 'value',
  freshUntil: 1_763_972_400_000,
  staleUntil: 1_763_972_430_000,
  errorUntil: 1_763_972_460_000,
  loadTime: 42,
  tags: [
    ['user:7', 1_763_972_399_900_000],
    ['ü "quoted"', 0],
  ],
  payload: Buffer.from('J{"name":"Ada"}'),
}

/** The golden file of a version is never changed once that version is released: entries outlive deployments. */
const golden = readFileSync(new URL('golden/hl1.bin', import.meta.url))

function plain(decoded: Envelope | undefined): unknown {
  return decoded && { ...decoded, payload: Buffer.from(decoded.payload) }
}

describe('envelope', () => {
  it('gives back whatever was put in', () => {
    fc.assert(
      fc.property(envelope, (given) => {
        expect(plain(decodeEnvelope(sealed(given)))).toEqual(plain(given))
      }),
    )
  })

  it('reads and writes version 1 to the byte', () => {
    expect(plain(decodeEnvelope(golden))).toEqual(plain(sample))
    expect(sealed(sample).equals(golden)).toBe(true)
  })

  it('is readable', () => {
    expect(golden.toString('latin1', 0, HEADER_LENGTH)).toMatch(
      /^hl1v 1763972400000 1763972430000 1763972460000 0000000042 /,
    )
    expect(encodeEnvelope({ ...sample, tags: [] }).toString()).toMatch(/ 0000000042 00000 J\{"name":"Ada"\}$/)
  })

  it('takes every truncation of the header and the tags for nothing', () => {
    const headLength = golden.length - sample.payload.length
    for (let length = 0; length < headLength; length++) {
      expect(decodeEnvelope(golden.subarray(0, length)), `${length} bytes`).toBeUndefined()
    }
  })

  it('takes bytes of others, and of other versions, for nothing', () => {
    for (const text of ['', 'hl2', '{"value":1}', '(nil)', golden.toString().replace('hl1', 'hl2')]) {
      expect(decodeEnvelope(Buffer.from(text))).toBeUndefined()
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeEnvelope(Buffer.from(bytes))).toBeUndefined()
      }),
    )
  })

  it('never throws for a damaged byte, and never reads beyond the end', () => {
    fc.assert(
      fc.property(fc.nat(golden.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(golden)
        damaged[at] = byte
        const decoded = decodeEnvelope(damaged)
        expect(decoded === undefined || decoded.payload.length <= golden.length).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('keeps the load time within its width', () => {
    const bytes = Buffer.from(encodeEnvelope({ ...sample, loadTime: 1e15 }))
    expect(decodeEnvelope(bytes)?.loadTime).toBe(9_999_999_999)
  })

  it('is text if its payload is text, and means the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(10), fc.boolean(), (text, loadTime, isTagged) => {
        const tags: Envelope['tags'] = isTagged ? [['täg', 1763972399900000]] : []
        const payload = Buffer.from(text)
        const whole = encodeEnvelope({ kind: 'value', loadTime, tags, payload: text })
        expect(typeof whole).toBe('string')
        expect(Buffer.from(whole)).toEqual(encodeEnvelope({ kind: 'value', loadTime, tags, payload }))
      }),
    )
  })
})
