import { expect, test } from 'vitest'

import { ResponseDonors } from '../../../../src/middleware/flights/response-donors.ts'
import type { Exchange } from '../../../../src/middleware/flights/exchange.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { exchangeOf } from '../support/fake-exchange.ts'

function setUp() {
  const clock = new FakeClock()
  const donors = new ResponseDonors(clock)
  const taken: Exchange[] = []
  return { clock, donors, taken, take: (exchange: Exchange) => void taken.push(exchange) }
}

test('what is offered goes to the refill of that key, until it is served', () => {
  const { donors, taken, take } = setUp()
  const [first, other, late] = [exchangeOf(), exchangeOf(), exchangeOf()]
  donors.want('a', take)
  expect([donors.areWanted('a'), donors.areWanted('b')]).toEqual([true, false])
  if (first !== undefined) donors.offer('a', first)
  if (other !== undefined) donors.offer('b', other)
  donors.served('a')
  if (late !== undefined) donors.offer('a', late)
  expect(taken).toEqual([first])
  expect(donors.areWanted('a')).toBe(false)
})

test('after 8 offers no more are wanted, until one has not come of them for a second', async () => {
  const { clock, donors, take } = setUp()
  donors.want('a', take)
  for (let offers = 0; offers < 7; offers++) donors.offer('a', exchangeOf())
  expect(donors.areWanted('a')).toBe(true)
  donors.offer('a', exchangeOf())
  expect(donors.areWanted('a')).toBe(false)
  await clock.advance(1000)
  expect(donors.areWanted('a')).toBe(false)
  await clock.advance(1)
  expect(donors.areWanted('a')).toBe(true)
})

test('offers that are not asked for any more are taken all the same', () => {
  const { donors, taken, take } = setUp()
  donors.want('a', take)
  for (let offers = 0; offers < 10; offers++) donors.offer('a', exchangeOf())
  expect(taken).toHaveLength(10)
})
