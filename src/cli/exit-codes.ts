/** The exit codes of the commands. */
export const EXIT = {
  ok: 0,
  /** A check failed, or Redis has refused. */
  failure: 1,
  /** The command line is invalid, or a client is missing. */
  usage: 2,
  /** A Redis could not be reached, or stopped answering. */
  unreachable: 3,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
