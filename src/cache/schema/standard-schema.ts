import { wrongType, type ValidationIssue } from '../../errors.ts'

/**
 * What can tell whether a value is valid: the part that is used here of Standard Schema, version 1
 * (https://standardschema.dev), which zod, valibot, arktype and others speak. It may take its time.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => ValidationResult<Output> | Promise<ValidationResult<Output>>
    /** For the compiler alone. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** The value is valid unless there are issues. */
export type ValidationResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly ValidationIssue[] }

/** The type of the values that a schema takes. They are handed out as they are: what it would make of them plays no part. */
export type ValueOf<T extends StandardSchemaV1> = NonNullable<T['~standard']['types']>['input']

/** Throws for what is no schema. */
export function checkSchema(schema: unknown): void {
  const isThing = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard = isThing ? (schema as Partial<StandardSchemaV1>)['~standard'] : undefined
  if (standard?.version !== 1 || typeof standard.validate !== 'function') {
    throw wrongType('schema', 'a Standard Schema of version 1', schema)
  }
}

/** What is wrong with the value, if anything is; a promise where the schema takes its time. Throws what the schema throws. */
export function issuesOf(schema: StandardSchemaV1, value: unknown): Issues | Promise<Issues> {
  const result = schema['~standard'].validate(value)
  return 'then' in result ? Promise.resolve(result).then(listed) : listed(result)
}

/** In an array of their own: that of a library may be of a class that has more to it. */
function listed({ issues }: ValidationResult<unknown>): Issues {
  return issues && Array.from(issues)
}

export type Issues = readonly ValidationIssue[] | undefined

/** The same schema for what may be missing: `undefined` is valid. */
export function optional(schema: StandardSchemaV1 | undefined): StandardSchemaV1 | undefined {
  if (schema === undefined) return undefined
  const standard = schema['~standard']
  const { version, vendor } = standard
  const validate = (value: unknown): ReturnType<typeof standard.validate> =>
    value === undefined ? { value } : standard.validate(value)
  return { '~standard': { version, vendor, validate } }
}
