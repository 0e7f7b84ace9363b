import { beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { Flights } from '../../../src/flight/flights.ts'

describe('Flights', () => {
  let flights: Flights
  beforeEach(() => {
    flights = new Flights(systemClock, () => {
      throw new Error('nobody was to load alone')
    })
  })

  it('has one flight a key that callers may join', () => {
    const flight = flights.start('a')
    expect(flights.joinable('a')).toBe(flight)
    expect(flights.joinable('b')).toBeUndefined()
    expect(flights.joinable('__proto__')).toBeUndefined()
    flights.end(flight)
    expect(flights.joinable('a')).toBeUndefined()
    expect(flights.size).toBe(0)
  })

  it.each<[string, (flight: ReturnType<Flights['start']>) => void]>([
    ['is aborted', (flight) => flight.execution.abort(new Error('nobody is left'))],
    ['has failed', (flight) => flight.fail(new Error('no'))],
    ['has its value, though that is not stored yet', (flight) => flight.settle(1)],
    ['is released', (flight) => flight.release()],
  ])('lets nobody join a flight that %s, while it is under way all the same', (_name, end) => {
    const flight = flights.start('a')
    end(flight)
    expect(flights.joinable('a')).toBeUndefined()
    expect(flights.underWay('a')).toBe(flight)
    expect(flights.size).toBe(1)
  })

  it('lets the end of an old flight leave its successor in place', () => {
    const old = flights.start('a')
    flights.close('a')
    const next = flights.start('a')
    flights.end(old)
    expect(flights.joinable('a')).toBe(next)
  })

  it('closes: nobody may join, and the key is free for another', () => {
    const b = (flights.start('a'), flights.start('b'))
    flights.close('a')
    expect([flights.joinable('a'), flights.underWay('a'), flights.joinable('b')]).toEqual([undefined, undefined, b])
    flights.closeAll()
    expect(flights.joinable('b')).toBeUndefined()
    expect(flights.size).toBe(2) // both go on
  })

  it('aborts all that are under way, the closed ones too, and waits until the last has ended', async () => {
    const [a, b] = [flights.start('a'), flights.start('b')]
    flights.close('a')
    let ended = false
    const all = [flights.abortAll('closed'), flights.abortAll('closed')].map((end) => end.then(() => (ended = true)))
    expect([a.execution.reason, b.execution.reason]).toEqual(['closed', 'closed'])
    flights.end(a)
    await Promise.resolve()
    expect(ended).toBe(false)
    flights.end(b)
    await Promise.all(all)
  })
})
