import { wrongType, type ValidationIssue } from '../../errors.ts'

/**
 * A validator of values: the part of Standard Schema, version 1 (https://standardschema.dev), that is used here. zod,
 * valibot, arktype and others implement it. It may be asynchronous.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => ValidationResult<Output> | Promise<ValidationResult<Output>>
    /** Only for the compiler. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** The value is valid unless there are issues. */
export type ValidationResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly ValidationIssue[] }

/** The input type of a schema. Values are handed out unchanged, so the output type plays no part. */
export type ValueOf<T extends StandardSchemaV1> = NonNullable<T['~standard']['types']>['input']

/** Throws if it is not a schema. */
export function checkSchema(schema: unknown): void {
  const isThing = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard = isThing ? (schema as Partial<StandardSchemaV1>)['~standard'] : undefined
  if (standard?.version !== 1 || typeof standard.validate !== 'function') {
    throw wrongType('schema', 'a Standard Schema of version 1', schema)
  }
}

/** The problems of the value, if any; a promise if the schema is asynchronous. Throws what the schema throws. */
export function issuesOf(schema: StandardSchemaV1, value: unknown): Issues | Promise<Issues> {
  const result = schema['~standard'].validate(value)
  return 'then' in result ? Promise.resolve(result).then(listed) : listed(result)
}

/** In a new array, because a library's array may be of a class with more in it. */
function listed({ issues }: ValidationResult<unknown>): Issues {
  return issues && Array.from(issues)
}

export type Issues = readonly ValidationIssue[] | undefined

/** The same schema for values that may be missing: `undefined` is valid. */
export function optional(schema: StandardSchemaV1 | undefined): StandardSchemaV1 | undefined {
  if (schema === undefined) return undefined
  const standard = schema['~standard']
  const { version, vendor } = standard
  const validate = (value: unknown): ReturnType<typeof standard.validate> =>
    value === undefined ? { value } : standard.validate(value)
  return { '~standard': { version, vendor, validate } }
}
