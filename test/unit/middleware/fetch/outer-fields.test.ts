import { expect, test } from 'vitest'

import { baselineOf, OuterFields } from '../../../../src/middleware/fetch/outer-fields.ts'

function outer(...lines: Array<[string, string]>): OuterFields {
  const headers = new Headers()
  for (const [name, value] of lines) headers.append(name, value)
  return new OuterFields(baselineOf(headers))
}

test('are a baseline, in which a repeated field keeps its lines', () => {
  const { baseline } = outer(['X-Request-Id', '1'], ['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2'])
  expect(baseline).toEqual([
    ['set-cookie', ['a=1', 'b=2']],
    ['x-request-id', '1'],
  ])
})

test.each([
  ['stay beside those of an answer', [], [], ['A', '1'], ['vary', 'Origin', 'x-id', '7', 'A', '1']],
  ['give way to those of the same name', [], [], ['X-Id', '8'], ['vary', 'Origin', 'X-Id', '8']],
  ['go where the handler took them away', ['x-id'], [], [], ['vary', 'Origin']],
  ['are joined where the answer adds to them', [], ['x-id'], ['X-Id', '8'], ['vary', 'Origin', 'X-Id', ['7', '8']]],
  ['always share Vary', [], [], ['Vary', 'Accept'], ['x-id', '7', 'Vary', 'Origin, Accept']],
])('%s', (_name, removed, joins, fields, expected) => {
  expect(outer(['Vary', 'Origin'], ['X-Id', '7']).beside(removed, joins, fields)).toEqual(expected)
})
