/** Why a handler's run yields nothing that others may have. */
export class FillFailedError extends Error {
  override readonly name = 'FillFailedError'
}
