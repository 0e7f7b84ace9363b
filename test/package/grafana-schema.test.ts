import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GRAFANA_SCHEMA, PROMQL } from '../compatibility/versions.ts'
import { fromRegistry } from '../support/from-registry.ts'
import { ROOT, run } from './packed.ts'

const TIMEOUT = 120_000
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')

interface Panel {
  type: string
  targets?: { expr: string }[]
}

/** How a dashboard is written in TypeScript: by what a JSON file can hold, so an enum is its values. */
const TYPES = `
import type { Dashboard, Panel, RowPanel } from '@grafana/schema'
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'

type Json<T> = T extends string ? \`\${T}\` : T extends number ? (number extends T ? T : \`\${T}\` extends \`\${infer N extends number}\` ? N : never)
  : T extends readonly (infer E)[] ? Json<E>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T
/** Grafana fills in what is left out of the options of a panel. */
type Options<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: Options<T[K]> } : T

type Of<Type extends string, O, C = Record<string, unknown>> = Json<Omit<Panel, 'type' | 'options' | 'fieldConfig'>> & {
  type: Type
  options?: Json<Options<O>>
  fieldConfig?: Omit<Json<NonNullable<Panel['fieldConfig']>>, 'defaults'> & {
    defaults: Omit<Json<NonNullable<Panel['fieldConfig']>['defaults']>, 'custom'> & { custom?: Json<Options<C>> }
  }
}
export type Stat = Of<'stat', stat.Options>
export type TimeSeries = Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
export type Row = Json<RowPanel>
export type Board = Omit<Json<Dashboard>, 'panels'>
`

/** Each is wrong in one way. */
const REFUSED = `
import type { Board, Row, Stat, TimeSeries } from './types.ts'

// @ts-expect-error: the version is a number
export const version: Board = { schemaVersion: '39' }
// @ts-expect-error: a field that nobody knows
export const field: Board = { schemaVersion: 39, colour: 'red' }
// @ts-expect-error: three ways to share a cursor, from 0 on
export const cursor: Board = { schemaVersion: 39, graphTooltip: 3 }
// @ts-expect-error: a row has panels
export const row: Row = { id: 1, type: 'row', collapsed: false }
// @ts-expect-error: no such mode
export const mode: Stat = { type: 'stat', options: { colorMode: 'loud' } }
// @ts-expect-error: an option of the other kind of panel
export const option: Stat = { type: 'stat', options: { tooltip: { mode: 'multi' } } }
// @ts-expect-error: no such style
export const style: TimeSeries = { type: 'timeseries', fieldConfig: { overrides: [], defaults: { custom: { drawStyle: 'dots' } } } }
`

describe("the board, by Grafana's published schema", { timeout: TIMEOUT }, async () => {
  const text = await readFile(join(ROOT, 'docs', 'grafana', 'herdlock.json'), 'utf8')
  const { panels, ...board } = JSON.parse(text) as { panels: Panel[] }
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'herdlock-grafana-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('is a dashboard, and so is each of its panels', async () => {
    const names: Record<string, string> = { stat: 'Stat', timeseries: 'TimeSeries', row: 'Row' }
    const consts = panels.map((panel, at) => `export const p${at}: ${names[panel.type]} = ${JSON.stringify(panel)}\n`)
    const files = {
      'types.ts': TYPES,
      'refused.ts': REFUSED,
      'board.ts':
        "import type { Board, Row, Stat, TimeSeries } from './types.ts'\n" +
        `export const board: Board = ${JSON.stringify(board)}\n${consts.join('')}`,
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          ...{ module: 'esnext', moduleResolution: 'bundler', target: 'es2023', types: [] },
          ...{ strict: true, noEmit: true, skipLibCheck: true, allowImportingTsExtensions: true },
        },
      }),
    }
    await symlink(await fromRegistry('@grafana/schema', GRAFANA_SCHEMA), join(folder, 'node_modules'))
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
    await run(process.execPath, [TSC, '-p', folder], ROOT)
  })

  it('asks what Prometheus can read', async () => {
    const { grammar, lr, highlight } = PROMQL
    const beside = [`@lezer/lr@${lr}`, `@lezer/highlight@${highlight}`]
    const home = await fromRegistry('@prometheus-io/lezer-promql', grammar, beside)
    const module = pathToFileURL(join(home, '@prometheus-io/lezer-promql/dist/index.es.js')).href
    const { parser } = (await import(module)) as { parser: Parser }
    const isRead = (query: string): boolean => {
      let sound = true
      parser.parse(query).iterate({ enter: ({ type }) => void (sound &&= !type.isError) })
      return sound
    }
    expect(isRead('sum(rate(a[1m])) by (b)')).toBe(true)
    expect(isRead('sum(rate(a[1m]) by (b)')).toBe(false)
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    expect(queries.length).toBeGreaterThan(10)
    const filledIn = queries.map((query) => query.replaceAll(/\$__(rate_interval|interval|range)/g, '1m'))
    expect(filledIn.filter((query) => !isRead(query))).toEqual([])
  })
})

interface Parser {
  parse(text: string): { iterate(each: { enter(node: { type: { isError: boolean } }): void }): void }
}
