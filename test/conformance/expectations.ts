import { expect } from 'vitest'

import type { Outcome, Report, SuiteOptions } from './run.ts'

type NotPassed = Record<string, { outcome: Outcome; reason: string }>

/** Every test of the suite that never passes, and why. A test that begins to pass must leave this list. */
const NEVER_PASSED: NotPassed = {
  // Required ones: none fails outright. They cannot be judged, because what they build on is optional and not done.
  'stale-close-must-revalidate': unjudged(
    'a stale response is not sent for a failed origin unless it says stale-if-error',
  ),
  'stale-close-proxy-revalidate': unjudged(
    'a stale response is not sent for a failed origin unless it says stale-if-error',
  ),
  'stale-close-no-cache': unjudged('a stale response is not sent for a failed origin unless it says stale-if-error'),
  'stale-close-s-maxage=2': unjudged('a stale response is not sent for a failed origin unless it says stale-if-error'),
  'headers-store-Set-Cookie': notSetUp('responses with Set-Cookie are never shared'),
  'headers-store-Set-Cookie2': notSetUp('responses with Set-Cookie2 are never shared'),
  '304-etag-update-response-Set-Cookie': notSetUp('responses with Set-Cookie are never shared'),
  '304-etag-update-response-Set-Cookie2': notSetUp('responses with Set-Cookie2 are never shared'),
  '304-etag-update-response-ETag': notSetUp('a 304 with another ETag is not about the stored response'),
  // Optional ones.
  'method-POST': optional('responses to POST are not stored'),
  'vary-normalise-lang-order': optional('handlers choose the first of several languages of the same weight'),
  'vary-normalise-lang-select': optional('how the handler weighs languages is its own business'),
  'conditional-lm-fresh-no-lm': optional('the Date of the stored response is later than If-Modified-Since'),
  'partial-store-partial-reuse-partial': optional('handlers are asked for the whole, so there are no parts to store'),
  'partial-store-partial-reuse-partial-byterange': optional('handlers are asked for the whole'),
  'partial-store-partial-reuse-partial-absent': optional('handlers are asked for the whole'),
  'partial-store-partial-reuse-partial-suffix': optional('handlers are asked for the whole'),
  'partial-store-partial-complete': optional('handlers are asked for the whole'),
  'other-set-cookie': optional('responses with Set-Cookie are never shared'),
  'other-cookie': optional('a request with cookies gets only what is explicitly public'),
}

const HEURISTIC = [200, 203, 204, 404, 405, 410, 414, 501, 599]

/** What protects applications that configure nothing: optional tests that do not pass with the defaults. */
const NOT_BY_DEFAULT: NotPassed = {
  ...Object.fromEntries(
    HEURISTIC.map((status) => [`heuristic-${status}-cached`, optional('heuristicFreshness is an option')]),
  ),
  'other-authorization-must-revalidate': optional('shareMustRevalidate is an option'),
}

/** With which options the suite is run, and what comes of it. */
interface Measured {
  readonly options: SuiteOptions
  readonly notPassed: NotPassed
  /** How many tests there are, and how many of them pass. */
  readonly required: { readonly all: number; readonly passed: number }
  readonly optimal: { readonly all: number; readonly passed: number }
}

export const DEFAULTS: Measured = {
  options: {},
  notPassed: { ...NEVER_PASSED, ...NOT_BY_DEFAULT },
  required: { all: 157, passed: 148 },
  optimal: { all: 86, passed: 65 },
}

/** The full set of docs/http.md. */
export const FULL_SET: Measured = {
  options: {
    heuristicFreshness: true,
    shareMustRevalidate: true,
    targetedFields: ['SingleFlight-Cache-Control', 'Surrogate-Control'],
  },
  notPassed: NEVER_PASSED,
  required: { all: 165, passed: 156 },
  optimal: { all: 95, passed: 84 },
}

export function expectScores(report: Report, measured: Measured): void {
  const notPassed = (results: Record<string, Outcome>) =>
    Object.fromEntries(Object.entries(results).filter(([, outcome]) => outcome !== 'pass'))
  const actual = { ...notPassed(report.required), ...notPassed(report.optimal) }
  const listed = Object.fromEntries(Object.entries(measured.notPassed).map(([id, { outcome }]) => [id, outcome]))
  expect(actual).toEqual(listed)
  expect(Object.values(report.required)).not.toContain('fail')
  const counted = (results: Record<string, Outcome>) => {
    const outcomes = Object.values(results)
    return { all: outcomes.length, passed: outcomes.filter((outcome) => outcome === 'pass').length }
  }
  expect({ required: counted(report.required), optimal: counted(report.optimal) }).toEqual({
    required: measured.required,
    optimal: measured.optimal,
  })
}

function unjudged(reason: string): { outcome: Outcome; reason: string } {
  return { outcome: 'dependency', reason }
}

function notSetUp(reason: string): { outcome: Outcome; reason: string } {
  return { outcome: 'setup', reason }
}

function optional(reason: string): { outcome: Outcome; reason: string } {
  return { outcome: 'fail', reason }
}
