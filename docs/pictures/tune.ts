import { replayAll } from '../../src/cli/tune/grid.ts'
import { plot } from '../../src/cli/tune/plot.ts'
import { Recorder, type Recording } from '../../src/cli/tune/recording.ts'
import { seededChance } from '../../src/testing/seeded-chance.ts'
import type { Picture } from './drawing/paper.ts'

const SECOND = 1000
const REQUESTS = 120_000
const KEYS = 2000

/** What `npx herdlock tune --plot` draws: ten minutes of 200 requests a second, few pages popular and many rare. */
export const tune: Picture = { name: 'tune', svg: drawn(busyTenMinutes()) }

function drawn(recording: Recording): string {
  const ttls = [1, 5, 10, 30, 60, 300].map((ttl) => ttl * SECOND)
  return plot(
    recording,
    replayAll(recording, { ttls, stales: [60 * SECOND], processes: [1, 4] }, () => {}),
  )
}

function busyTenMinutes(): Recording {
  const { uniform } = seededChance(1)
  const recorder = new Recorder()
  for (let index = 0; index < REQUESTS; index++) {
    // The further down the list, the rarer: half of all requests are for the first 45 of 2000.
    const key = `/page/${Math.floor(KEYS ** uniform())}`
    recorder.add({ at: index * 5, key, bytes: 10_000, load: 200, isKept: true })
  }
  return recorder.finish(200)
}
