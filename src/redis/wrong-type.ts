/** For `catch`: somebody else may have put something of another type under a key of ours. Throws all other errors. */
export function orWrongType(error: unknown): undefined {
  if (!(error instanceof Error && error.message.startsWith('WRONGTYPE'))) throw error
}
