import { describe, expect, it } from 'vitest'
import { patienceOf, resolveSettings } from '../../../src/redlock/settings.ts'

describe('resolveSettings', () => {
  it('completes what is missing, by defaults or by what was in force', () => {
    expect(resolveSettings(undefined)).toEqual({
      driftFactor: 0.01,
      retryCount: 10,
      retryDelay: 200,
      retryJitter: 100,
      automaticExtensionThreshold: 500,
    })
    const own = resolveSettings({ retryCount: -1, driftFactor: 0 })
    expect(resolveSettings({ retryDelay: 0 }, own)).toEqual({ ...own, retryDelay: 0 })
    expect(resolveSettings({ retryDelay: undefined as never }, own)).toEqual(own)
  })

  it.each([
    { driftFactor: 1 },
    { driftFactor: -0.1 },
    { retryCount: -2 },
    { retryCount: 0.5 },
    { retryDelay: -1 },
    { retryJitter: '5' },
    { automaticExtensionThreshold: Number.NaN },
  ])('refuses %o by name', (wrong) => {
    const name = Object.keys(wrong)[0] as string
    expect(() => resolveSettings(wrong as object)).toThrow(new RegExp(`^${name} must be`))
  })
})

it('patience is the time of all attempts, or without end', () => {
  const waits = (retryCount: number) => patienceOf(resolveSettings({ retryCount, retryDelay: 30 }))
  expect([waits(0), waits(3), waits(-1)]).toEqual([0, 90, Infinity])
})
