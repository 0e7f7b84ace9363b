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
            if (scene.where?.(neighbour, style) === false) continue
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

  expect(actual.map(comparable)).toEqual(
    expected.map((seen, at) => comparable(allowed(seen, actual[at], expected[0], cell))),
  )
  expect(site.runs.value).toBe(scene.runs[site.sharing])
  expect(without.runs.value).toBe(scene.runs.none)
  const says = (site.sharing === 'by all' && scene.says) || actual.map(() => /^herdlock; (fwd|hit)/)
  expect(actual.map(({ cacheStatus }) => cacheStatus)).toEqual(
    says.map((text) => expect.stringMatching(text) as string),
  )
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
function comparable(seen: Seen): Seen {
  return { ...seen, fields: seen.fields.toSorted(), cacheStatus: '' }
}

/** What a client may see instead, since the answer is stored or that of another's run. */
function allowed(expected: Seen, actual: Seen | undefined, first: Seen | undefined, { place, neighbour }: Cell): Seen {
  if (actual === undefined || !/hit|collapsed/.test(actual.cacheStatus)) return expected
  // The length of a stored answer is known, even if the handler, which streamed, could not tell it.
  const framing = actual.framing === 'length' && expected.framing === 'chunked' ? 'length' : expected.framing
  // RFC 9110 section 15.4.5: a 304 has the Vary of the page. compression, which sees no body, leaves its part of it out.
  const isStored304 = expected.status === 304 && place === 'inside'
  const fields = [...(isStored304 ? withVary(expected.fields, first?.fields ?? []) : expected.fields)]
  // What was streamed by the handler is sent at once from the store: a layer outside may set then what came too late before.
  if (place === 'outside') fields.push(...missing(neighbour.atEnd ?? [], fields, actual.fields))
  return { ...expected, framing, fields: fields.toSorted() }
}

/** Those of the fields that one answer lacks and the other has. */
function missing(fields: readonly string[], without: readonly string[], having: readonly string[]): string[] {
  return fields.filter((field) => !without.includes(field) && having.includes(field))
}

function withVary(fields: string[], page: string[]): string[] {
  const isVary = (line: string): boolean => line.startsWith('vary: ')
  return fields.flatMap((line) => (isVary(line) ? page.filter(isVary) : [line]))
}
