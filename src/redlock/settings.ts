import { checkNumber, checkObject, duration, wholeNumber } from '../check.ts'

/** Settings of redlock 5, with its defaults. Durations are whole ms. */
export interface RedlockSettings {
  /** Share of its duration by which a lock counts as expired earlier. Default 0.01. */
  readonly driftFactor: number
  /** Attempts after the first; -1: no limit. Default 10. */
  readonly retryCount: number
  /**
   * Time between two attempts. For a lock that is held elsewhere, `acquire` waits `retryCount` × `retryDelay`: in line,
   * without asking again. Default 200.
   */
  readonly retryDelay: number
  /** How much `retryDelay` is lengthened or shortened at random after a failure of Redis. Default 100. */
  readonly retryJitter: number
  /** How much time a lock of `using` has left when it is extended. Default 500. */
  readonly automaticExtensionThreshold: number
}

const DEFAULTS: RedlockSettings = {
  driftFactor: 0.01,
  retryCount: 10,
  retryDelay: 200,
  retryJitter: 100,
  automaticExtensionThreshold: 500,
}

/** Checks and completes settings. Throws an error that names the invalid setting. */
export function resolveSettings(
  given: Partial<RedlockSettings> | undefined,
  defaults: RedlockSettings = DEFAULTS,
): RedlockSettings {
  if (given === undefined) return defaults
  checkObject('settings', given)
  const named = Object.entries(given).filter(([, value]) => value !== undefined)
  const settings: RedlockSettings = { ...defaults, ...Object.fromEntries(named) }
  const { driftFactor, retryCount, retryDelay, retryJitter, automaticExtensionThreshold } = settings
  checkNumber('driftFactor', driftFactor, 'a number from 0 to below 1', (number) => number >= 0 && number < 1)
  wholeNumber('retryCount', retryCount, { least: -1, expected: 'a whole number, -1 or more' })
  duration('retryDelay', retryDelay)
  duration('retryJitter', retryJitter)
  duration('automaticExtensionThreshold', automaticExtensionThreshold)
  return settings
}

/** ms for which an operation is retried. */
export function patienceOf({ retryCount, retryDelay }: RedlockSettings): number {
  return retryCount === -1 ? Infinity : retryCount * retryDelay
}
