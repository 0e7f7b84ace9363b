import { beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { Flights } from '../../../src/flight/flights.ts'

describe('Flights', () => {
  let flights: Flights
  beforeEach(() => {
    flights = new Flights(systemClock)
  })

  it('has one flight a key that callers may join', () => {
    const flight = flights.start('a', [])
    expect(flights.current('a')).toBe(flight)
    expect(flights.current('b')).toBeUndefined()
    expect(flights.current('__proto__')).toBeUndefined()
    flights.end(flight)
    expect(flights.current('a')).toBeUndefined()
    expect(flights.size).toBe(0)
  })

  it('lets nobody join a flight that is aborted', () => {
    const flight = flights.start('a', [])
    flight.abort(new Error('nobody is left'))
    expect(flights.current('a')).toBeUndefined()
    expect(flights.size).toBe(1)
  })

  it('lets nobody join a flight that has failed: who comes later tries anew', () => {
    const flight = flights.start('a', [])
    flight.fail(new Error('no'))
    expect(flights.current('a')).toBeUndefined()
    const settled = flights.start('a', [])
    settled.settle(1)
    settled.fail(new Error('too late'))
    expect(flights.current('a')).toBe(settled)
  })

  it('lets the end of an old flight leave its successor in place', () => {
    const old = flights.start('a', [])
    flights.revoke('a')
    const next = flights.start('a', [])
    flights.end(old)
    expect(flights.current('a')).toBe(next)
    expect([flights.isCurrent(old), flights.isCurrent(next)]).toEqual([false, true])
  })

  it('revokes: nobody may join, and what it brings is not current any more', () => {
    const [a, b] = [flights.start('a', []), flights.start('b', [])]
    flights.revoke('a')
    expect([flights.current('a'), flights.current('b')]).toEqual([undefined, b])
    expect(flights.isCurrent(a)).toBe(false)
    flights.revokeAll()
    expect(flights.current('b')).toBeUndefined()
    expect(flights.size).toBe(2) // both are still under way
  })

  it('revokes what was started under a tag or under none, unless another has taken its place', () => {
    const [a, b, c] = [flights.start('a', ['x', 'y']), flights.start('b', ['y']), flights.start('c', [])]
    flights.revoke('b')
    const next = flights.start('b', ['x'])
    flights.revokeTagged('y')
    expect([a, b, c, next].map((flight) => flights.isCurrent(flight))).toEqual([false, false, false, true])
  })

  it('aborts all that are under way, the revoked ones too, and waits until the last has ended', async () => {
    const [a, b] = [flights.start('a', []), flights.start('b', [])]
    flights.revoke('a')
    let ended = false
    const all = [flights.abortAll('closed'), flights.abortAll('closed')].map((end) => end.then(() => (ended = true)))
    expect([a.signal.reason, b.signal.reason]).toEqual(['closed', 'closed'])
    flights.end(a)
    await Promise.resolve()
    expect(ended).toBe(false)
    flights.end(b)
    await Promise.all(all)
  })
})
