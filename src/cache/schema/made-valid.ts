import { InvalidValueError } from '../../errors.ts'
import type { Loader } from '../refill/loader-context.ts'
import { issuesOf, type Issues, type StandardSchemaV1 } from './standard-schema.ts'

/** The loader. It fails with `InvalidValueError` if the schema, if there is one, refuses its value. */
export function checked<V>(loader: Loader<V>, schema: StandardSchemaV1 | undefined): Loader<V> {
  if (schema === undefined) return loader
  return async (context) => {
    const value = await loader(context)
    await refuseInvalid(schema, context.key, value)
    return value
  }
}

/** Throws `InvalidValueError`, or rejects with it if the schema is asynchronous. */
export function refuseInvalid(schema: StandardSchemaV1, key: string, value: unknown): void | Promise<void> {
  const judge = (issues: Issues): void => {
    if (issues !== undefined) throw new InvalidValueError(key, issues)
  }
  const issues = issuesOf(schema, value)
  return issues instanceof Promise ? issues.then(judge) : judge(issues)
}
