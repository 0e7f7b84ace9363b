import fc from 'fast-check'
import type { Target } from './targets.ts'

/** One change of an input, at a place between 0 and 1. */
type Edit = { readonly at: number; readonly length: number; readonly put: Uint8Array }

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 0, max: 8 }),
  put: fc.oneof(fc.uint8Array({ maxLength: 8 }), fc.string({ maxLength: 8, unit: 'binary' }).map(bytesOf), pieces()),
})

/** What parsers trip over. */
function pieces(): fc.Arbitrary<Uint8Array> {
  const texts = [
    '"',
    '\\',
    ',',
    ';',
    '=',
    '%',
    '%2',
    '{',
    '}',
    '[',
    ']',
    ':',
    '\0',
    '\r\n',
    '-0',
    '1e999',
    'NaN',
    ' ',
    '9'.repeat(30),
  ]
  return fc.constantFrom(...texts, '__proto__', 'null', '\ud800').map(bytesOf)
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text)
}

function edited(seed: Uint8Array, edits: readonly Edit[]): Buffer {
  let bytes = Buffer.from(seed)
  for (const { at, length, put } of edits) {
    const from = Math.floor(at * bytes.length)
    bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + length)])
  }
  return bytes
}

/** Inputs for a target: what it is made for with some changes, pieces of it repeated, or anything. */
export function inputsFor({ seeds }: Target): fc.Arbitrary<Buffer> {
  const seed = fc.constantFrom(...seeds.map((each) => (typeof each === 'string' ? bytesOf(each) : each)))
  const changed = fc
    .tuple(seed, fc.array(edit, { minLength: 1, maxLength: 6 }))
    .map(([each, edits]) => edited(each, edits))
  const joined = fc.array(fc.oneof(seed, pieces()), { maxLength: 6 }).map((parts) => Buffer.concat(parts))
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
  return fc.oneof({ weight: 4, arbitrary: changed }, { weight: 1, arbitrary: joined }, { weight: 1, arbitrary: any })
}
