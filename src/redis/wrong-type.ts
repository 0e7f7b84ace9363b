/** For `catch`: somebody else may have stored another type under one of our keys. Throws all other errors. */
export function orWrongType(error: unknown): undefined {
  if (!(error instanceof Error && error.message.startsWith('WRONGTYPE'))) throw error
}
