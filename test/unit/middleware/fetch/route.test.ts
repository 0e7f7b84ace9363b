import { expect, test } from 'vitest'

import { NARROWING } from '../../../../src/middleware/request/narrowing.ts'
import { plainRoute } from '../../../../src/middleware/fetch/route.ts'

const request = new Request('http://a.example/page', { headers: { Range: 'bytes=0-1' } })
const TERMS = { validate: undefined, capability: undefined, hidden: NARROWING, signal: new AbortController().signal }

test('a function is run for its client on the request as it came, or for all on one that asks for the whole', async () => {
  const seen: Request[] = []
  const route = plainRoute(request, (asked) => {
    seen.push(asked)
    return new Response('page')
  })
  await route.run()
  await route.run(TERMS)
  await route.standIn?.(TERMS)
  expect(seen[0]).toBe(request)
  expect(seen.map(({ headers }) => headers.get('range'))).toEqual(['bytes=0-1', null, null])
})

test('a function may run in the background at once, and has nothing outside', () => {
  const route = plainRoute(request, () => expect.unreachable())
  let isFree = false
  route.whenFree(() => (isFree = true))
  expect([isFree, route.baseline]).toEqual([true, []])
  const fields = ['A', '1']
  expect(route.besideOuter(['a'], ['vary'], fields)).toBe(fields)
})
