import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { describeFailure } from '../../../../src/cache/refill/describe-failure.ts'

const circular: { self?: unknown } = {}
circular.self = circular
const revoked = Proxy.revocable({}, {})
revoked.revoke()

describe('describeFailure', () => {
  it('tells the name and the message of an error, and what else was thrown', () => {
    expect(describeFailure(new RangeError('no'))).toMatchObject({ name: 'RangeError', message: 'no' })
    expect(describeFailure('text')).toMatchObject({ name: 'string', message: "'text'" })
    expect(describeFailure(undefined)).toMatchObject({ name: 'undefined', message: 'undefined' })
    expect(describeFailure(new Error('no')).origin).toMatch(new RegExp(`:${process.pid}$`))
  })

  it.each<[string, unknown]>([
    ['whose inspection throws', { [inspect.custom]: () => JSON.parse('{') }],
    ['that is a revoked proxy', revoked.proxy],
    ['whose message is circular', Object.assign(new Error('x'), { message: circular })],
    ['whose message is a BigInt', Object.assign(new Error('x'), { message: 10n })],
    ['whose message throws', Object.defineProperty(new Error('x'), 'message', { get: () => JSON.parse('{') })],
    ['whose message has no text', Object.assign(new Error('x'), { message: Object.create(null) as unknown })],
    ['whose name is a symbol', Object.assign(new Error('x'), { name: Symbol('n') })],
  ])('describes by texts a reason %s', (_what, reason) => {
    const { name, message, origin } = describeFailure(reason)
    for (const text of [name, message, origin]) expect(text).toBeTypeOf('string')
  })
})
