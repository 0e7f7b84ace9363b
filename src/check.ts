import { isAbortSignal } from './abort.ts'
import { outOfRange, wrongType } from './errors.ts'

// What options and arguments must be. Each function returns the value that it has checked. It throws a `TypeError` for
// the wrong type and a `RangeError` for what is out of range: the message names the option, what was expected and what came.

/** The longest duration, one year in ms. Longer ones, including `Infinity`, are reduced to it. */
export const MAX_DURATION: number = 365 * 24 * 60 * 60 * 1000

export function checkObject(option: string, value: unknown, expected = 'an object'): object {
  if (typeof value !== 'object' || value === null) throw wrongType(option, expected, value)
  return value
}

/** An object that has all these methods. `expected` is its name in the message. */
export function checkMethods<T>(option: string, value: T, expected: string, methods: readonly string[]): T {
  const has = (name: string): boolean => typeof (value as Record<string, unknown>)[name] === 'function'
  if (value === null || value === undefined || !methods.every(has)) throw wrongType(option, expected, value)
  return value
}

export function checkFunction<T>(option: string, value: T): T {
  if (typeof value !== 'function') throw wrongType(option, 'a function', value)
  return value
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal !== undefined && !isAbortSignal(signal)) throw wrongType('signal', 'an AbortSignal', signal)
  return signal
}

export function checkArray(option: string, value: unknown, expected: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongType(option, expected, value)
  return value
}

/** A string that stays distinct from all others in UTF-8. */
export function checkKey(key: unknown, option = 'key'): string {
  const text = checkNonEmptyString(option, key)
  if (!text.isWellFormed()) throw outOfRange(option, 'a string without lone surrogates', key)
  return text
}

/** The version of a value as text. A number and its text are the same version. */
export function checkVersion(version: unknown): string {
  const expected = 'a non-empty string or a finite number'
  if (typeof version === 'number' && Number.isFinite(version)) return String(version)
  if (typeof version !== 'string') throw wrongType('version', expected, version)
  if (version === '' || !version.isWellFormed()) throw outOfRange('version', expected, version)
  return version
}

export function checkNonEmptyString(option: string, value: unknown): string {
  const text = checkString(option, value, 'a non-empty string')
  if (text === '') throw outOfRange(option, 'a non-empty string', value)
  return text
}

export function checkString(option: string, value: unknown, expected = 'a string'): string {
  if (typeof value !== 'string') throw wrongType(option, expected, value)
  return value
}

export function checkBoolean(option: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw wrongType(option, 'a boolean', value)
  return value
}

export function checkOneOf<T extends string>(option: string, value: unknown, choices: readonly T[]): T {
  const choice = choices.find((each) => each === value)
  if (choice === undefined) throw outOfRange(option, choices.map((each) => `'${each}'`).join(' or '), value)
  return choice
}

/** Whole ms above 0. More than `longest` is reduced to it. */
export function positiveDuration(option: string, value: unknown, longest: number = MAX_DURATION): number {
  return wholeNumber(option, value, { least: 1, most: longest, expected: 'a whole number of milliseconds above 0' })
}

/** Whole ms, from 0. More than `MAX_DURATION` is reduced to it. */
export function duration(option: string, value: unknown): number {
  const expected = 'a whole number of milliseconds, 0 or more'
  return wholeNumber(option, value, { least: 0, most: MAX_DURATION, expected })
}

/** A whole number, at least 1. */
export function count(option: string, value: unknown): number {
  return wholeNumber(option, value, { least: 1, expected: 'a whole number above 0' })
}

export interface Bounds {
  readonly least: number
  /** Larger numbers, including `Infinity`, are reduced to it. Default: the largest exact whole number. */
  readonly most?: number
  readonly expected: string
}

export function wholeNumber(option: string, value: unknown, bounds: Bounds): number {
  const { least, most = Number.MAX_SAFE_INTEGER, expected } = bounds
  if (typeof value !== 'number') throw wrongType(option, expected, value)
  if (value >= most) return most
  if (!Number.isInteger(value) || value < least) throw outOfRange(option, expected, value)
  return value
}

/** A number for which `isWithin` holds; it never holds for NaN. */
export function checkNumber(
  option: string,
  value: unknown,
  expected: string,
  isWithin: (value: number) => boolean,
): number {
  if (typeof value !== 'number') throw wrongType(option, expected, value)
  if (!isWithin(value)) throw outOfRange(option, expected, value)
  return value
}
