import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { checkSchema, issuesOf, optional, type StandardSchemaV1 } from '../../../../src/cache/schema/standard-schema.ts'

const libraries: [string, StandardSchemaV1][] = [
  ['zod', z.object({ name: z.string() })],
  ['valibot', v.object({ name: v.string() })],
  ['arktype', type({ name: 'string' })],
]
const slow = v.objectAsync({
  name: v.pipeAsync(
    v.string(),
    v.checkAsync((name) => Promise.resolve(name !== 'no')),
  ),
})

describe('checkSchema', () => {
  it.each(libraries)('takes those of %s', (_library, schema) => {
    expect(() => checkSchema(schema)).not.toThrow()
  })

  it.each([
    [null, 'null'],
    [7, '7'],
    [{}, 'an object'],
    [() => true, 'a function'],
    [{ '~standard': { version: 2, validate: () => ({}) } }, 'an object'],
    [{ '~standard': { version: 1, vendor: 'v' } }, 'an object'],
  ])('refuses %o by name', (schema, shown) => {
    expect(() => checkSchema(schema)).toThrow(
      new TypeError(`schema must be a Standard Schema of version 1, received ${shown}`),
    )
  })
})

describe('issuesOf', () => {
  it.each(libraries)('tells what %s objects to', (_library, schema) => {
    expect(issuesOf(schema, { name: 'Ada' })).toBeUndefined()
    expect(issuesOf(schema, { name: 7 })).toMatchObject([{ message: expect.any(String) }])
  })

  it('waits for a schema that takes its time', async () => {
    expect(await issuesOf(slow, { name: 'Ada' })).toBeUndefined()
    expect(await issuesOf(slow, { name: 'no' })).toMatchObject([{ message: expect.any(String) }])
  })
})

describe('optional', () => {
  it('lets undefined pass and asks about all else', async () => {
    const [, schema] = libraries[0] as [string, StandardSchemaV1]
    const missing = optional(schema) as StandardSchemaV1
    expect(issuesOf(missing, undefined)).toBeUndefined()
    expect(issuesOf(missing, { name: 'Ada' })).toBeUndefined()
    expect(issuesOf(missing, null)).toHaveLength(1)
    expect(await issuesOf(optional(slow) as StandardSchemaV1, { name: 'no' })).toHaveLength(1)
    expect(optional(undefined)).toBeUndefined()
  })
})
