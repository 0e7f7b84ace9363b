import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claim } from '../../src/redis/scripts/claim.ts'
import { overwrite } from '../../src/redis/scripts/overwrite.ts'
import { MODEL_CHECKER_START } from '../support/model-checker.ts'
import { Transcript } from '../support/monitored.ts'
import { observe } from './observed.ts'
import { type Follower, startFollower } from './replay.ts'
import { stepsOf } from './steps.ts'

const KEY = '{key}'
const LEASE_FOR = 1500
const VALUE_LIVES_FOR = 300
/** ms for which Redis is stopped. */
const STOP = 630
/** ms on Redis's clock. */
const START = 1_763_972_400_000

/** What MONITOR tells of commands. Each has its instant, in ms from the start, and that of what its script does. */
class Told {
  readonly #transcript = new Transcript()

  /** A `set`. */
  set(at: number, runsAt = at): this {
    const bytes = `hl1v ${START + runsAt + VALUE_LIVES_FOR} ${'0'.repeat(50)}{"version":1}`
    const keys = [KEY, `${KEY}:lease`, `${KEY}:waiters`, `${KEY}:last`, `${KEY}:queue`, `${KEY}:stream`]
    const toAll = ['0', 'changes', 'joined', 'counter', 'parts']
    const args = [String(VALUE_LIVES_FOR), bytes, '', KEY, '', 'message', 'its part', '']
    return this.#script(at, [overwrite.sha, '6', ...keys, ...toAll, ...args], runsAt, [
      ['TIME'],
      ['SET', KEY, bytes, 'PX', String(VALUE_LIVES_FOR)],
      ['GET', `${KEY}:lease`],
      ['DEL', `${KEY}:last`, `${KEY}:stream`],
    ])
  }

  /** A claim, and what came of it. */
  claim(answer: 'fresh' | 'leased' | 'busy', token: string, at: number, runsAt = at): this {
    const keys = [KEY, `${KEY}:lease`, `${KEY}:waiters`, `${KEY}:last`]
    const asks = [['SET', `${KEY}:lease`, token, 'NX', 'PX', String(LEASE_FOR)]]
    const takes = [['SET', `${KEY}:last`, token, 'PX', '600000']]
    return this.#script(at, [claim.sha, '4', ...keys, String(LEASE_FOR), '', '', 'a', '0', token], runsAt, [
      ['TIME'],
      ['GET', KEY],
      ...(answer === 'fresh' ? [] : asks),
      ...(answer === 'leased' ? takes : []),
    ])
  }

  /** Any other command. */
  ping(at: number): this {
    return this.#line(at, '127.0.0.1:5000', ['PING'])
  }

  get steps(): ReturnType<typeof stepsOf> {
    return stepsOf(observe(this.#transcript.commands, { valueKey: KEY, tagKey: '{tag}' }), true)
  }

  #script(at: number, words: readonly string[], runsAt: number, inner: readonly (readonly string[])[]): this {
    this.#line(at, '127.0.0.1:5000', ['EVALSHA', ...words])
    for (const each of inner) this.#line(runsAt, 'lua', each)
    return this
  }

  #line(at: number, address: string, words: readonly string[]): this {
    const quoted = words.map((word) => JSON.stringify(word)).join(' ')
    this.#transcript.add(`${((START + at) / 1000).toFixed(6)} [0 ${address}] ${quoted}`)
    return this
  }
}

/** What is told of commands without a stop: the line before each is of the same instant. */
const at = (told: Told, instant: number): Told => told.ping(instant)

describe('the replay of what Redis was seen to do', () => {
  let follower: Follower
  beforeAll(async () => {
    follower = await startFollower()
  }, MODEL_CHECKER_START)
  afterAll(() => follower.end())

  const allows = async ({ steps }: Told): Promise<boolean> => {
    const refusal = await follower.follow(steps)
    if (refusal !== '') expect(refusal).toMatch(/claim: .*\nis not allowed$/)
    return refusal === ''
  }

  it('allows a value to end in its time, and neither earlier nor later', async () => {
    const set = (): Told => new Told().set(0)
    expect(await allows(at(set(), 50).claim('fresh', 'a', 50))).toBe(true)
    expect(await allows(at(set(), 50).claim('leased', 'a', 50))).toBe(false)
    expect(await allows(at(set(), 400).claim('leased', 'a', 400))).toBe(true)
    expect(await allows(at(set(), 400).claim('fresh', 'a', 400))).toBe(false)
  })

  it('does not know when a script ran that Redis began before a stop', async () => {
    const stopped = (): Told => at(new Told().set(0), 50)
    expect(await allows(stopped().claim('leased', 'a', 50, 50 + STOP))).toBe(true)
    expect(await allows(stopped().claim('fresh', 'a', 50, 50 + STOP))).toBe(true)
  })

  it('nor when it looked at the clock for a command that it told after a stop', async () => {
    const stopped = (): Told => at(new Told().set(0), 50)
    expect(await allows(stopped().claim('fresh', 'a', 50 + STOP))).toBe(true)
    expect(await allows(stopped().claim('leased', 'a', 50 + STOP))).toBe(true)
  })

  it('nor when a lease ends that was given at such a time', async () => {
    const stopped = (): Told => new Told().claim('leased', 'a', 0, STOP)
    const atOnce = (): Told => new Told().claim('leased', 'a', 0)
    const [between, late] = [LEASE_FOR + STOP / 2, LEASE_FOR + STOP + 100]
    expect(await allows(at(stopped(), between).claim('busy', 'b', between))).toBe(true)
    expect(await allows(at(stopped(), between).claim('leased', 'b', between))).toBe(true)
    expect(await allows(at(atOnce(), between).claim('busy', 'b', between))).toBe(false)
    expect(await allows(at(stopped(), late).claim('busy', 'b', late))).toBe(false)
    expect(await allows(at(stopped(), late).claim('leased', 'b', late))).toBe(true)
  })

  it('nor when a value ends that was stored at such a time', async () => {
    const stopped = (): Told => new Told().set(0, STOP)
    const [fresh, late] = [STOP + VALUE_LIVES_FOR - 100, STOP + VALUE_LIVES_FOR + 100]
    expect(await allows(at(stopped(), fresh).claim('fresh', 'a', fresh))).toBe(true)
    expect(await allows(at(stopped(), late).claim('fresh', 'a', late))).toBe(false)
    expect(await allows(at(stopped(), late).claim('leased', 'a', late))).toBe(true)
  })
})
