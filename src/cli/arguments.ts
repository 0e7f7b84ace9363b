import { parseArgs } from 'node:util'
import { type Address, parseAddress } from './address.ts'
import type { Columns } from './tune/line.ts'
import { UsageError } from './usage-error.ts'

/** What the command line requests. */
export type Request = { readonly command: 'help' | 'version' } | DoctorRequest | InspectRequest | TuneRequest

interface Common {
  readonly addresses: readonly Address[]
  readonly prefix: string
  /** ms after which a Redis that does not answer is given up. */
  readonly timeout: number
  readonly json: boolean
}

export interface DoctorRequest extends Common {
  readonly command: 'doctor'
  /** Whether warnings count as failures. */
  readonly strict: boolean
  /** How many processes the application will have; `undefined` if not given. */
  readonly processes: number | undefined
  /** ms: the `commandTimeout` of the application. */
  readonly commandTimeout: number
}

export interface InspectRequest extends Common {
  readonly command: 'inspect'
  /** Most leases and most entries that are listed. */
  readonly limit: number
  /** The prefix of keys that are locks of `Locker`. Without it, only locks that somebody waits for are listed. */
  readonly locks: string | undefined
}

export interface TuneRequest {
  readonly command: 'tune'
  /** An access log or a capture; `-`: standard input. */
  readonly file: string
  /** ms, whole, above 0 */
  readonly ttls: readonly number[]
  /** ms, whole; 0 for none */
  readonly stales: readonly number[]
  readonly processes: readonly number[]
  /** ms that a load takes if the log does not say. */
  readonly load: number
  readonly columns: Columns
  /** Where the plot is written to. */
  readonly plot: string | undefined
  readonly json: boolean
}

const COMMANDS = ['doctor', 'inspect', 'tune'] as const
const DEFAULT_TIMEOUT = 2000
const DEFAULT_LIMIT = 100
/** The prefix of caches and lockers. */
const DEFAULT_COMMAND_TIMEOUT = 1000
const DEFAULT_TTLS = [1000, 5000, 10_000, 30_000, 60_000, 300_000]
const DEFAULT_STALES = [0, 60_000]
const DEFAULT_PROCESSES = [1, 4]
const DEFAULT_LOAD = 200

/** Throws `UsageError` for an invalid command line. */
export function readArguments(args: readonly string[], environment: NodeJS.ProcessEnv): Request {
  const { values, positionals } = parse(args)
  if (values.help === true) return { command: 'help' }
  if (values.version === true) return { command: 'version' }
  const [name, ...urls] = positionals
  if (name === undefined || name === 'help') return { command: 'help' }
  const command = COMMANDS.find((each) => each === name)
  if (command === undefined) throw new UsageError(`there is no command ${JSON.stringify(name)}`)
  if (command === 'tune') return readTune(urls, values)
  refuse(
    command,
    named(
      values,
      TUNE_OPTIONS.filter((name) => name !== 'processes'),
    ),
  )
  if (urls.length === 0 && environment['REDIS_URL'] !== undefined) urls.push(environment['REDIS_URL'])
  if (urls.length === 0) throw new UsageError(`${command} needs the URL of a Redis, or REDIS_URL in the environment`)
  const common = {
    addresses: urls.map(parseAddress),
    prefix: values.prefix ?? 'herdlock',
    timeout: wholeNumber('--timeout', values.timeout, DEFAULT_TIMEOUT),
    json: values.json === true,
  }
  if (common.prefix === '') throw new UsageError('--prefix must not be empty')
  if (command === 'doctor') {
    refuse(command, { '--limit': values.limit, '--locks': values.locks })
    return {
      ...{ command, ...common, strict: values.strict === true },
      processes: values.processes === undefined ? undefined : wholeNumber('--processes', values.processes, 1),
      commandTimeout: wholeNumber('--command-timeout', values['command-timeout'], DEFAULT_COMMAND_TIMEOUT),
    }
  }
  refuse(command, named(values, ['strict', 'processes', 'command-timeout']))
  return { command, ...common, limit: wholeNumber('--limit', values.limit, DEFAULT_LIMIT), locks: values.locks }
}

const REDIS_OPTIONS = ['prefix', 'timeout', 'limit', 'locks', 'strict', 'command-timeout'] as const
const TUNE_OPTIONS = ['ttl', 'stale', 'processes', 'load', 'key', 'time', 'bytes', 'duration', 'plot'] as const

type Values = ReturnType<typeof parseOptions>['values']

function readTune(files: readonly string[], values: Values): TuneRequest {
  refuse('tune', named(values, REDIS_OPTIONS))
  const [file] = files
  if (file === undefined || files.length > 1) throw new UsageError('tune needs one access log, or - for standard input')
  return {
    ...{ command: 'tune', file, json: values.json === true, plot: values.plot },
    ttls: wholeNumbers('--ttl', values.ttl, DEFAULT_TTLS, 1),
    stales: wholeNumbers('--stale', values.stale, DEFAULT_STALES, 0),
    processes: wholeNumbers('--processes', values.processes, DEFAULT_PROCESSES, 1),
    load: wholeNumber('--load', values.load, DEFAULT_LOAD),
    columns: { key: values.key, time: values.time, bytes: values.bytes, duration: values.duration },
  }
}

function named(values: Values, names: readonly (keyof Values)[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [`--${name}`, values[name]]))
}

function wholeNumbers(
  option: string,
  value: string | undefined,
  otherwise: readonly number[],
  least: number,
): number[] {
  if (value === undefined) return [...otherwise]
  const texts = value.split(',')
  const numbers = texts.map(Number)
  if (texts.some((text) => !/^\d{1,10}$/.test(text)) || numbers.some((each) => each < least || each > 2 ** 31 - 1)) {
    const above = least === 0 ? 'from 0 on' : 'above 0'
    throw new UsageError(
      `${option} must be whole numbers ${above}, with commas between, received ${JSON.stringify(value)}`,
    )
  }
  return [...new Set(numbers)]
}

function parse(args: readonly string[]): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(args)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

// Its type comes from parseArgs with these options.
function parseOptions(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      prefix: { type: 'string' },
      timeout: { type: 'string' },
      limit: { type: 'string' },
      locks: { type: 'string' },
      json: { type: 'boolean' },
      strict: { type: 'boolean' },
      'command-timeout': { type: 'string' },
      ttl: { type: 'string' },
      stale: { type: 'string' },
      processes: { type: 'string' },
      load: { type: 'string' },
      key: { type: 'string' },
      time: { type: 'string' },
      bytes: { type: 'string' },
      duration: { type: 'string' },
      plot: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
    },
  })
}

function wholeNumber(option: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < 1 || number > 2 ** 31 - 1) {
    throw new UsageError(`${option} must be a whole number above 0, received ${JSON.stringify(value)}`)
  }
  return number
}

function refuse(command: string, options: Readonly<Record<string, unknown>>): void {
  const given = Object.keys(options).find((option) => options[option] !== undefined)
  if (given !== undefined) throw new UsageError(`${command} has no option ${given}`)
}
