import { parseArgs } from 'node:util'
import { type Address, parseAddress } from './address.ts'
import { UsageError } from './usage-error.ts'

/** What the command line asks for. */
export type Request = { readonly command: 'help' | 'version' } | DoctorRequest | InspectRequest

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
}

export interface InspectRequest extends Common {
  readonly command: 'inspect'
  /** How many leases and how many entries are listed at most. */
  readonly limit: number
  /** How keys begin that are locks of `Locker`; without it those alone are listed that somebody waits for. */
  readonly locks: string | undefined
}

const COMMANDS = ['doctor', 'inspect'] as const
const DEFAULT_TIMEOUT = 2000
const DEFAULT_LIMIT = 100

/** Throws `UsageError` for what cannot be meant. */
export function readArguments(args: readonly string[], environment: NodeJS.ProcessEnv): Request {
  const { values, positionals } = parse(args)
  if (values.help === true) return { command: 'help' }
  if (values.version === true) return { command: 'version' }
  const [name, ...urls] = positionals
  if (name === undefined || name === 'help') return { command: 'help' }
  const command = COMMANDS.find((each) => each === name)
  if (command === undefined) throw new UsageError(`there is no command ${JSON.stringify(name)}`)
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
    return { command, ...common, strict: values.strict === true }
  }
  refuse(command, { '--strict': values.strict })
  return { command, ...common, limit: wholeNumber('--limit', values.limit, DEFAULT_LIMIT), locks: values.locks }
}

function parse(args: readonly string[]): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(args)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

// Its type is what parseArgs makes of these options.
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
