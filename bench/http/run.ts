import { writeFile } from 'node:fs/promises'

import { optionAfter, Report } from '../measure/report.ts'
import { contestants } from './contestants.ts'
import { measureFirstSecond } from './first-second.ts'
import { measureHerds } from './herds.ts'
import { measureHits } from './hits.ts'
import { playScenes } from './scenes.ts'

/**
 *     npm run bench -- http [--quick] [--only scenes,small,large,herds,first] [--contenders herdlock,limit] [--json results.json]
 *
 * herdlock as it is built, next to what else there is: `scenes` says what happens when many ask at once, `small`, `large`
 * and `herds` how fast it is, `first` how fast in its first second. Servers and origins are processes of their own;
 * contenders take turns; figures are medians. nginx, Varnish and wrk are taken from the system, where they are.
 */
const quick = process.argv.includes('--quick')
const only = optionAfter('--only')?.split(',')
const names = optionAfter('--contenders')?.split(',')
const json = optionAfter('--json')
const asks = (part: string): boolean => only === undefined || only.includes(part)

const all = contestants().filter(({ name }) => names === undefined || names.some((each) => name.startsWith(each)))
const withoutLimit = all.filter(({ name }) => !/^limit|no cache$/.test(name))
const pace = quick ? { rounds: 5, seconds: 1 } : { rounds: 11, seconds: 3 }
const report = new Report()
const scenes = asks('scenes') ? await playScenes(withoutLimit, quick ? 1 : 3) : undefined
if (asks('small')) await measureHits(report, all, 1024, pace)
if (asks('large')) await measureHits(report, all, 100 * 1024, pace)
if (asks('herds')) await measureHerds(report, all, quick ? 2 : 7)
if (asks('first')) await measureFirstSecond(report, all, quick ? 1 : 5)
if (json !== undefined) {
  await report.save(json)
  if (scenes !== undefined) await writeFile(`${json}.scenes`, `${JSON.stringify(scenes, null, 2)}\n`)
}
