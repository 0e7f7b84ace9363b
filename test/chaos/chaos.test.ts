import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Follower, startFollower } from '../model/replay.ts'
import { stepsOfRun } from '../model/steps-of-run.ts'
import { changedStep, type Step } from '../model/steps.ts'
import { MODEL_CHECKER_START } from '../support/model-checker.ts'
import { chaos, type ChaosRun } from './run-chaos.ts'

const SECONDS = 60
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)

describe('processes that are killed, stopped and cut off at random', () => {
  let run: ChaosRun
  beforeAll(
    async () => {
      console.log(`chaos: seed ${SEED} (npm run chaos -- --seed ${SEED} begins with it)`)
      run = await chaos({ seed: SEED, seconds: SECONDS })
      const { seconds, faults, calls, changes, judged, wrong, setups } = run
      console.log(`chaos: ${JSON.stringify({ seconds, faults, calls, changes, judged })}`)
      if (wrong.length > 0) console.log(setups.join('\n'))
    },
    (SECONDS + 120) * 1000,
  )

  it('never see what their caches promise not to show', () => {
    const { wrong, judged } = run
    expect(wrong, `seed ${SEED}`).toEqual([])
    // There was something to judge.
    expect(judged.answers).toBeGreaterThan(SECONDS * 30)
    expect(judged.bound).toBeGreaterThan(judged.answers / 4)
    expect(judged.loads).toBeGreaterThan(SECONDS)
    expect(judged.readings).toBeGreaterThan(SECONDS * 5)
    expect(judged.chunks).toBeGreaterThan(SECONDS * 100)
  })

  describe('and the model of the protocol', { timeout: 120_000 }, () => {
    let follower: Follower
    let steps: Step[]
    beforeAll(async () => {
      follower = await startFollower()
      steps = stepsOfRun(run)
    }, MODEL_CHECKER_START)
    afterAll(() => follower.end())

    it('allows what Redis did', async () => {
      expect(steps.length).toBeGreaterThan(SECONDS * 20)
      expect(await follower.follow(steps), `seed ${SEED}`).toBe('')
    })

    it.each([
      ['a claim that gets a lease which another has', /claim: busy/, { answer: 'leased' }],
      ['a claim that finds a value which is not there', /claim: leased/, { answer: 'fresh' }],
      ['a commit that is stored without a lease', /store of \d+: refused/, { answer: 'ok' }],
      ['a commit that tells nobody who waits', /store of \d+: stored.* tells/, { tells: 0 }],
      ['a change that tells nobody who waits', /: (delete|set \d+).* tells/, { tells: 0 }],
    ] as const)('refuses the same with %s', async (_, which, change) => {
      const isSure = (index: number): boolean => !/ may have /.test(steps[index - 1]?.text ?? '')
      const index = steps.findIndex(({ text }, i) => which.test(text) && isSure(i))
      expect(index).toBeGreaterThanOrEqual(0)
      const changed = steps.with(index, changedStep(steps[index] as Step, change))
      const stopsAt = await follower.follow(changed)
      expect(stopsAt).toMatch(/is not allowed$/)
      expect(stopsAt).toContain(`${(steps[index] as Step).text}\nis not allowed`)
    })
  })
})
