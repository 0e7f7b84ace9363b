import { checkNumber, checkObject, duration, wholeNumber } from '../check.ts'

/** Settings of redlock 5, with its defaults. Durations are whole ms. */
export interface RedlockSettings {
  /** Share of a lock's duration by which it counts as expired earlier. Default 0.01. */
  readonly driftFactor: number
  /** Attempts after the first; -1: without end. Default 10. */
  readonly retryCount: number
  /**
   * Time between two attempts. `retryCount` times that is how long `acquire` waits for a lock that is held elsewhere: in
   * line, without asking again. Default 200.
   */
  readonly retryDelay: number
  /** By how much `retryDelay` is longer or shorter at random after a failure of Redis. Default 100. */
  readonly retryJitter: number
  /** Time that a lock of `using` has left when it is extended. Default 500. */
  readonly automaticExtensionThreshold: number
}

const DEFAULTS: RedlockSettings = {
  driftFactor: 0.01,
  retryCount: 10,
  retryDelay: 200,
  retryJitter: 100,
  automaticExtensionThreshold: 500,
}

/** Checks and completes settings; throws an error that names the setting at fault. */
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

/** ms for which an operation is tried again. */
export function patienceOf({ retryCount, retryDelay }: RedlockSettings): number {
  return retryCount === -1 ? Infinity : retryCount * retryDelay
}
