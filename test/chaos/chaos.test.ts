import { expect, it } from 'vitest'
import { chaos } from './run-chaos.ts'

const SECONDS = 25
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)

it(
  'processes that are killed, stopped and cut off at random never see what their caches promise not to show',
  async () => {
    console.log(`chaos: seed ${SEED} (npm run chaos -- --seed ${SEED} begins with it)`)
    const { wrong, setups, judged, history: _, ...run } = await chaos({ seed: SEED, seconds: SECONDS })
    console.log(`chaos: ${JSON.stringify({ ...run, judged })}`)
    if (wrong.length > 0) console.log(setups.join('\n'))
    expect(wrong, `seed ${SEED}`).toEqual([])
    // There was something to judge.
    expect(judged.answers).toBeGreaterThan(SECONDS * 30)
    expect(judged.bound).toBeGreaterThan(judged.answers / 4)
    expect(judged.loads).toBeGreaterThan(SECONDS)
    expect(judged.readings).toBeGreaterThan(SECONDS * 5)
    expect(judged.chunks).toBeGreaterThan(SECONDS * 100)
  },
  (SECONDS + 120) * 1000,
)
