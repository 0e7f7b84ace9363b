import { beforeEach, describe, expect, it } from 'vitest'
import { Flights } from '../../../src/flight/flights.ts'

describe('Flights', () => {
  let flights: Flights
  beforeEach(() => {
    flights = new Flights()
  })

  it('has one flight a key that callers may join', () => {
    const flight = flights.start('a')
    expect(flights.current('a')).toBe(flight)
    expect(flights.current('b')).toBeUndefined()
    expect(flights.current('__proto__')).toBeUndefined()
    flights.end('a', flight)
    expect(flights.current('a')).toBeUndefined()
    expect(flights.size).toBe(0)
  })

  it('lets nobody join a flight that is aborted', () => {
    const flight = flights.start('a')
    flight.abort(new Error('nobody is left'))
    expect(flights.current('a')).toBeUndefined()
    expect(flights.size).toBe(1)
  })

  it('lets the end of an old flight leave its successor in place', () => {
    const old = flights.start('a')
    flights.revoke('a')
    const next = flights.start('a')
    flights.end('a', old)
    expect(flights.current('a')).toBe(next)
    expect([flights.isCurrent('a', old), flights.isCurrent('a', next)]).toEqual([false, true])
  })

  it('revokes: nobody may join, and what it brings is not current any more', () => {
    const [a, b] = [flights.start('a'), flights.start('b')]
    flights.revoke('a')
    expect([flights.current('a'), flights.current('b')]).toEqual([undefined, b])
    expect(flights.isCurrent('a', a)).toBe(false)
    flights.revokeAll()
    expect(flights.current('b')).toBeUndefined()
    expect(flights.size).toBe(2) // both are still under way
  })

  it('aborts all that are under way, the revoked ones too', () => {
    const [a, b] = [flights.start('a'), flights.start('b')]
    flights.revoke('a')
    flights.abortAll('closed')
    expect([a.signal.reason, b.signal.reason]).toEqual(['closed', 'closed'])
  })
})
