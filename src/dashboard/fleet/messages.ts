import type { ProcessReport } from '../report.ts'

/** Of the inbox, where reports arrive. */
export const REPORTS = 'fleet'

/** Messages of another version are ignored. */
const VERSION = 1

/** What whoever looks calls to all processes: to tell of a cache, every so many ms, for some time. */
export interface Call {
  /** Where they are to tell it. */
  readonly to: string
  /** That of the namespace; empty for a whole cache. */
  readonly path: string
  readonly every: number
}

export function writeCall(call: Call): string {
  return JSON.stringify({ version: VERSION, ...call })
}

export function readCall(text: string): Call | undefined {
  const { version, to, path, every } = parsed(text)
  if (version !== VERSION || typeof to !== 'string' || typeof path !== 'string') return undefined
  return typeof every === 'number' && every > 0 ? { to, path, every } : undefined
}

export function writeReport(path: string, report: ProcessReport): string {
  return JSON.stringify({ version: VERSION, path, ...report })
}

/** Reports come from processes that use the same Redis; what only looks like one is none. */
export function readReport(text: string, path: string): ProcessReport | undefined {
  const report = parsed(text)
  const isOne =
    report['version'] === VERSION &&
    report['path'] === path &&
    typeof report['id'] === 'string' &&
    typeof report['process'] === 'string' &&
    typeof report['at'] === 'number' &&
    typeof report['every'] === 'number' &&
    ['refills', 'failures', 'hottest', 'slowest', 'unshared'].every((name) => Array.isArray(report[name])) &&
    ['stats', 'flights'].every((name) => typeof report[name] === 'object' && report[name] !== null)
  return isOne ? (report as unknown as ProcessReport) : undefined
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
