import { readFile } from 'node:fs/promises'
import { Registry } from 'prom-client'
import { beforeAll, describe, expect, it } from 'vitest'
import { collect } from '../../src/prometheus/collect.ts'
import { cacheLab } from '../support/cache-lab.ts'
import { parseScrape, type Scraped } from '../support/parse-scrape.ts'

interface Panel {
  id: number
  type: string
  title: string
  datasource?: { type: string; uid: string }
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { refId: string; expr: string; legendFormat: string; datasource: { uid: string } }[]
}

interface Dashboard {
  schemaVersion: number
  uid: string
  title: string
  panels: Panel[]
  templating: { list: { name: string; type: string; query: string | { query: string }; includeAll?: boolean }[] }
}

const FILE = new URL('../../docs/grafana/herdlock.json', import.meta.url)
const dashboard = JSON.parse(await readFile(FILE, 'utf8')) as Dashboard
const { panels, templating } = dashboard
const targets = panels.flatMap((panel) => panel.targets ?? [])
const queries = targets.map(({ expr }) => expr)

const lab = cacheLab()
let told: Scraped
beforeAll(async () => {
  const registry = new Registry()
  const cache = lab.cache({ prefix: 'grafana', maxLoads: 20, memory: { maxBytes: 1000 } }) // with all that a cache may tell
  const stop = collect(cache, { registry })
  told = parseScrape(await registry.metrics())
  stop()
})

const samplesOf = (metric: string): Scraped['samples'] => told.samples.filter(({ name }) => name === metric)
const hasLabel = (metric: string, label: string): boolean => samplesOf(metric).some(({ labels }) => label in labels)
const metricsIn = (query: string): string[] => query.match(/\bherdlock_\w+/g) ?? []

/** The matchers of a query, with the metric that each belongs to: `a{b=~"c"}`. */
function matchersIn(query: string): { metric: string; label: string; value: string }[] {
  return [...query.matchAll(/\b(herdlock_\w+)\{([^}]*)\}/g)].flatMap(([, metric = '', inner = '']) =>
    [...inner.matchAll(/(\w+)(?:=~|!=|!~|=)"([^"]*)"/g)].map(([, label = '', value = '']) => ({
      metric,
      label,
      value,
    })),
  )
}

describe('what the dashboard asks for', () => {
  it('exists in a scrape', () => {
    const named = [
      ...queries,
      ...templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query)),
    ].flatMap(metricsIn)
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter((metric) => samplesOf(metric).length === 0)).toEqual([])
  })

  it('is every metric there is', () => {
    const asked = new Set(queries.flatMap(metricsIn).map((name) => name.replace(/_(bucket|sum|count)$/, '')))
    expect([...told.types.keys()].filter((family) => !asked.has(family))).toEqual([])
  })

  it('has the labels by which it selects, with those values', () => {
    const matchers = queries.flatMap(matchersIn)
    expect(matchers.filter(({ metric, label }) => !hasLabel(metric, label))).toEqual([])
    const values = matchers.flatMap(({ metric, label, value }) =>
      value.split('|').map((each) => ({ metric, label, value: each })),
    )
    const unknown = values.filter(
      ({ metric, label, value }) =>
        !value.startsWith('$') && !samplesOf(metric).some(({ labels }) => labels[label] === value),
    )
    expect(unknown).toEqual([])
    expect(queries.filter((query) => !query.includes('cache=~"$cache"'))).toEqual([])
  })

  it('has the labels by which it groups, and that legends name', () => {
    const missing = targets.flatMap(({ expr, legendFormat }) => {
      const groups = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/\s*,\s*/))
      const legends = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
      const unknown = groups.filter((label) => metricsIn(expr).some((metric) => !hasLabel(metric, label)))
      return [...unknown, ...legends.filter((label) => !groups.includes(label))].map((label) => `${label} in ${expr}`)
    })
    expect(missing).toEqual([])
  })
})

describe('the dashboard', () => {
  it('has what Grafana needs of one', () => {
    expect(dashboard).toMatchObject({ uid: expect.any(String), title: 'herdlock', schemaVersion: expect.any(Number) })
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    expect(panels.filter(({ title, type }) => title === '' || !/^(row|stat|timeseries)$/.test(type))).toEqual([])
  })

  it('lets the reader choose the data source and the caches', () => {
    expect(templating.list).toContainEqual(expect.objectContaining({ name: 'datasource', type: 'datasource' }))
    const cache = templating.list.find(({ name }) => name === 'cache')
    const query = { query: 'label_values(herdlock_cache_entries, cache)' }
    expect(cache).toMatchObject({ type: 'query', includeAll: true, query })
    const uids = [...panels.map(({ datasource }) => datasource), ...targets.map(({ datasource }) => datasource)]
    expect(new Set(uids.filter((each) => each !== undefined).map(({ uid }) => uid))).toEqual(new Set(['${datasource}']))
  })

  it('has panels side by side, not over one another', () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24)
      return Array.from({ length: w * h }, (_, i) => `${x + (i % w)}/${y + Math.floor(i / w)}`)
    })
    expect(new Set(cells).size).toBe(cells.length)
  })
})
