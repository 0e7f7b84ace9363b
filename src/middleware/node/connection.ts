import type { IncomingMessage } from 'node:http'

type Socket = IncomingMessage['socket']

/** What a handler may ask a connection, kept for when the connection is gone. */
export interface Connection {
  /** Properties by name. */
  readonly values: Readonly<Record<string, unknown>>
  /** Results of functions whose arguments do not matter, by their names. */
  readonly answers: Readonly<Record<string, unknown>>
}

const VALUES = [
  ...['remoteAddress', 'remotePort', 'remoteFamily', 'localAddress', 'localPort', 'localFamily'],
  ...['encrypted', 'authorized', 'authorizationError', 'alpnProtocol', 'servername', 'server'],
] as const

const ANSWERS = ['address'] as const
const TLS_ANSWERS = [
  ...['getPeerX509Certificate', 'getX509Certificate', 'getCipher', 'getProtocol', 'isSessionReused'],
] as const

/** Describes a connection that is still open. Properties that other layers have added are kept too. */
export function describeConnection(socket: Socket | null | undefined): Connection {
  if (socket === null || socket === undefined) return { values: {}, answers: {} }
  const source = socket as unknown as Record<string, unknown>
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(source)) {
    if (typeof value !== 'function' && !name.startsWith('_') && !OF_NODE.has(name)) values[name] = value
  }
  for (const name of VALUES) if (source[name] !== undefined) values[name] = source[name]
  const answers: Record<string, unknown> = {}
  for (const name of ANSWERS) ask(source, name, answers)
  if (values['encrypted'] === true) {
    for (const name of TLS_ANSWERS) ask(source, name, answers)
    ask(source, 'getPeerCertificate', answers, true)
  }
  return { values, answers }
}

/** Members of Node's sockets that say nothing about the peer. */
const OF_NODE: ReadonlySet<string> = new Set([
  ...['connecting', 'allowHalfOpen', 'parser', 'timeout', 'destroyed', 'domain', 'ssl', 'secureConnecting'],
])

function ask(
  source: Record<string, unknown>,
  name: string,
  answers: Record<string, unknown>,
  argument?: unknown,
): void {
  const answer = source[name]
  if (typeof answer !== 'function') return
  try {
    answers[name] = answer.call(source, argument)
  } catch {
    // A connection of another kind has no answer to it.
  }
}
