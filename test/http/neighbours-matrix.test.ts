import { describe, expect, test } from 'vitest'

import type { Seen } from './support/matrix/answers.ts'
import { NEIGHBOURS, PLACES, STYLES } from './support/matrix/neighbours.ts'
import { type Scene, SCENES } from './support/matrix/scenes.ts'
import { type Cell, type Framework, FRAMEWORKS, Site } from './support/matrix/site.ts'

/** A cell that fails must not hold up the others. */
const LIMIT_MS = 4_000

describe.each(Object.keys(FRAMEWORKS) as Framework[])('%s, beside', (framework) => {
  for (const neighbour of NEIGHBOURS) {
    for (const place of PLACES) {
      describe(`${neighbour.name} ${place}, clients see what they would see without us:`, () => {
        for (const scene of SCENES) {
          for (const style of STYLES) {
            test(`${scene.name}, ${style}`, { timeout: LIMIT_MS }, async () => {
              await compare(scene, { framework, neighbour, place, style })
            })
          }
        }
      })
    }
  }
})

async function compare(scene: Scene, cell: Cell): Promise<void> {
  const without = new Site(cell, false)
  const expected = await played(scene, without)
  await noted(without, without.runs.value)
  const site = new Site(cell, true)
  const actual = await played(scene, site)

  expect(actual.map(comparable)).toEqual(expected.map((seen, at) => comparable(allowed(seen, actual[at]))))
  expect(site.runs.value).toBe(scene.runs[site.sharing])
  expect(without.runs.value).toBe(scene.runs.none)
  if (site.sharing === 'by all' && scene.says !== undefined) {
    expect(actual.map(({ cacheStatus }) => cacheStatus)).toEqual(
      scene.says.map((says) => expect.stringMatching(says) as string),
    )
  }
  if (cell.place === 'inside') await noted(site, site.runs.value)
  else await noted(site, without.notes.length, without.notes)
}

async function played(scene: Scene, site: Site): Promise<Seen[]> {
  await site.start()
  await site.signIn([1, 2, 3])
  return scene.play(site)
}

/** Waits for what the neighbour notes, which may be after the client has its answer. */
async function noted({ cell, notes }: Site, count: number, lines?: string[]): Promise<void> {
  if (cell.neighbour.notes !== true) return
  await expect.poll(() => notes.length, { timeout: LIMIT_MS / 4 }).toBe(count)
  if (lines !== undefined) expect(notes.toSorted()).toEqual(lines.toSorted())
}

/** Cache-Status is compared with what the scene says. */
function comparable({ cacheStatus: _, ...seen }: Seen): Omit<Seen, 'cacheStatus'> {
  return seen
}

/** The length of a stored answer is known: it may be sent where the handler, which streamed, could not. */
function allowed(expected: Seen, actual: Seen | undefined): Seen {
  const stored = /hit|collapsed/.test(actual?.cacheStatus ?? '')
  return stored && expected.framing === 'chunked' && actual?.framing === 'length'
    ? { ...expected, framing: 'length' }
    : expected
}
