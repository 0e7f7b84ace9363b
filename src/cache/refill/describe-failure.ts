import { hostname } from 'node:os'
import { inspect } from 'node:util'
import { messageOf } from '../../errors.ts'
import type { RemoteFailure } from '../../store/notice.ts'

/** Describes a loader's failure for other processes. Never throws, whatever the loader has thrown. */
export function describeFailure(reason: unknown): RemoteFailure {
  const origin = `${hostname()}:${process.pid}`
  try {
    if (reason instanceof Error) return { name: String(reason.name), message: messageOf(reason), origin }
    return { name: typeof reason, message: inspect(reason), origin }
  } catch {
    return { name: typeof reason, message: 'it cannot be printed', origin }
  }
}
