import { beforeEach, describe, expect, it } from 'vitest'
import type { CacheCore } from '../../../../src/cache/core.ts'
import { resolveWithClients } from '../../../../src/cache/create-cache.ts'
import { settingsOf, type CallSettings } from '../../../../src/cache/options.ts'
import { claimValid, isValid } from '../../../../src/cache/schema/found-valid.ts'
import type { StandardSchemaV1 } from '../../../../src/cache/schema/standard-schema.ts'
import { Events } from '../../../../src/cache/watch/events.ts'
import type { ReadEntry } from '../../../../src/store/entry.ts'
import type { Claim } from '../../../../src/store/redis-store.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const schemaThat = (validate: StandardSchemaV1['~standard']['validate']): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate },
})
/** Takes what is 'valid'. */
const plain = schemaThat((value) => (value === 'valid' ? { value } : { issues: [{ message: 'wrong' }] }))
const slow = schemaThat(async (value) => plain['~standard'].validate(value))

let clock: FakeClock
let core: CacheCore
let invalid: unknown[]
beforeEach(() => {
  clock = new FakeClock()
  const events = new Events('name', (key) => key)
  invalid = []
  events.on('invalid', (event) => invalid.push(event))
  core = { events, clock, options: resolveWithClients({ ttl: 1, commandTimeout: 50 }) } as unknown as CacheCore
})
const settings = (schema: StandardSchemaV1): CallSettings<string> =>
  settingsOf({ schema: schema as never }, core.options)

describe('isValid', () => {
  it.each([plain, slow])('lets pass what is valid, and tells of what is not', async (schema) => {
    expect(await isValid(core, 'key', settings(schema), 'valid')).toBe(true)
    expect(invalid).toEqual([])
    expect(await isValid(core, 'key', settings(schema), 'other')).toBe(false)
    expect(invalid).toEqual([{ key: 'key', issues: [{ message: 'wrong' }] }])
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([
    ['throws', () => { throw new Error('no') }], // prettier-ignore
    ['rejects', () => Promise.reject(new Error('no'))],
    ['answers nonsense', () => undefined as never],
  ])('takes for invalid what a schema that %s is asked about', async (_how, validate) => {
    expect(await isValid(core, 'key', settings(schemaThat(validate)), 'valid')).toBe(false)
    expect(invalid).toMatchObject([{ issues: [{ message: /^the schema failed: / }] }])
  })

  it('waits for a schema no longer than for Redis', async () => {
    const answer = isValid(core, 'key', settings(schemaThat(() => new Promise(() => {}))), 'valid')
    await clock.advance(50)
    expect(await answer).toBe(false)
    expect(invalid).toMatchObject([
      { issues: [{ message: 'the schema did not answer within commandTimeout (50 ms)' }] },
    ])
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('claimValid', () => {
  const entry = (value: string, freshUntil = 1000): ReadEntry<string> =>
    ({ value, freshUntil }) as Partial<ReadEntry<string>> as ReadEntry<string>
  const payload = Buffer.of()
  const fresh = (value: string, freshUntil?: number): Claim<string> =>
    ({ state: 'fresh', entry: entry(value, freshUntil), payload }) as const
  const leased = (stale?: string): Claim<string> =>
    ({ state: 'leased', stale: stale === undefined ? undefined : entry(stale), payload, possessions: [] }) as const
  const busy = (stale: string): Claim<string> =>
    ({ state: 'busy', stale: entry(stale), leaseEndsIn: 1, holder: '', sentAt: 0, registered: true }) as const

  /** What comes of those answers of Redis, and what each claim was to overlook. */
  async function follow(...answers: Claim<string>[]): Promise<{ claim: Claim<string>; beyond: unknown[] }> {
    const beyond: unknown[] = []
    const claim = await claimValid(core, 'key', settings(plain), async (freshBeyond) => {
      beyond.push(freshBeyond)
      return answers[beyond.length - 1] as Claim<string>
    })
    return { claim, beyond }
  }

  it.each([[fresh('valid')], [leased('valid')], [leased()], [busy('valid')], [{ state: 'pass' } as const]])(
    'leaves %o as it is',
    async (answer) => {
      const { claim, beyond } = await follow(answer)
      expect(claim).toBe(answer)
      expect(beyond).toEqual([undefined])
      expect(invalid).toEqual([])
    },
  )

  it('sees no stale value in one that is not valid', async () => {
    expect((await follow(leased('other'))).claim).toMatchObject({
      state: 'leased',
      stale: undefined,
      payload: undefined,
    })
    expect((await follow(busy('other'))).claim).toMatchObject({ state: 'busy', stale: undefined })
    expect(invalid).toHaveLength(2)
  })

  it('claims beyond a fresh one that is not valid, at last beyond anything', async () => {
    const { claim, beyond } = await follow(fresh('other', 1000), fresh('another', 2000), leased('another'))
    expect(claim).toMatchObject({ state: 'leased', stale: undefined })
    expect(beyond).toEqual([undefined, 1000, Infinity])
    expect(invalid).toHaveLength(2)
    const newer = await follow(fresh('other', 1000), fresh('valid', 2000))
    expect(newer.claim).toMatchObject({ state: 'fresh', entry: { value: 'valid' } })
  })
})
