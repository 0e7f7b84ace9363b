import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { herdlock } from '../../support/command-line.ts'

interface Told {
  readonly requests: number
  readonly keys: number
  readonly lines: number
  readonly others: number
  readonly bad: number
  readonly badLines: { number: number; text: string }[]
  readonly advisedTtl: number | null
  readonly results: { with: string; ttl: number; processes: number | null; loads: number; herd: number }[]
}

describe('herdlock tune', () => {
  let folder: string
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'herdlock-tune-'))))
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** 200 requests a second for ten pages, in Combined. */
  function combined(count: number): string {
    const line = (index: number): string => {
      const at = new Date(Date.UTC(2026, 0, 2) + Math.floor(index / 200) * 1000)
      const clock = `${at.toISOString().slice(11, 19)} +0000`
      return `10.0.0.1 - - [02/Jan/2026:${clock}] "GET /page/${(index * 7) % 10} HTTP/1.1" 200 1000 "-" "x"\n`
    }
    return Array.from({ length: count }, (_, index) => line(index)).join('')
  }

  async function tune(text: string | Buffer, name: string, ...args: string[]): Promise<Told> {
    const file = join(folder, name)
    await writeFile(file, text)
    const { code, out, err } = await herdlock(['tune', file, '--json', ...args])
    if (code !== 0) throw new Error(err)
    return JSON.parse(out) as Told
  }

  it('counts lines that cannot be read, shows some, and goes on', async () => {
    const text = `nonsense \u001b[31m\n${combined(4000)}{"also":"bad"}\n${combined(1).replace('GET', 'POST')}`
    const told = await tune(text, 'access.log')
    expect(told).toMatchObject({ requests: 4000, keys: 10, lines: 4003, others: 1, bad: 2 })
    expect(told.badLines.map(({ number }) => number)).toEqual([1, 4002])
    const { out } = await herdlock(['tune', join(folder, 'access.log')])
    expect(out).toContain('line 1: nonsense \\x1b[31m')
  })

  it('shows one load where there were many, and the ttl to take', async () => {
    const { results, advisedTtl } = await tune(combined(4000), 'access.log', '--ttl', '500,5000', '--load', '300')
    const of = (kind: string, processes: number | null) =>
      results.find((each) => each.with === kind && each.processes === processes && each.ttl === 500)
    expect(of('herdlock', null)?.herd).toBe(1)
    expect(of('plain cache', 4)?.herd).toBeGreaterThan(4)
    expect(of('plain cache', 4)?.loads).toBeGreaterThan(2 * (of('herdlock', null)?.loads ?? 0))
    expect(advisedTtl).toBe(500)
  })

  it('reads gzip, JSON lines with columns of their own, and a capture alike', async () => {
    const requests = Array.from({ length: 500 }, (_, index) => ({
      at: 1_767_312_000_000 + index * 7,
      key: `k${index % 5}`,
    }))
    const lines = (made: (request: { at: number; key: string }) => object): string =>
      requests.map((request) => `${JSON.stringify(made(request))}\n`).join('')
    const json = lines(({ at, key }) => ({ when: at, page: key, request_time: 0.05 }))
    const capture =
      lines(({ at, key }) => ({ channel: 'herdlock:miss', time: at, key })) +
      [0, 1, 2, 3, 4].map((k) => `{"channel":"herdlock:refilled","key":"k${k}","loadTime":50}\n`).join('')
    const ofJson = await tune(json, 'requests.jsonl', '--key', 'page', '--time', 'when')
    expect(ofJson).toMatchObject({ requests: 500, keys: 5, bad: 0 })
    expect((await tune(capture, 'capture.jsonl')).results).toEqual(ofJson.results)
    const zipped = await tune(gzipSync(json), 'requests.jsonl.gz', '--key', 'page', '--time', 'when')
    expect(zipped.results).toEqual(ofJson.results)
  })

  it('draws', async () => {
    const file = join(folder, 'plot.svg')
    await tune(combined(2000), 'access.log', '--plot', file)
    const picture = await readFile(file, 'utf8')
    expect(picture).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
    expect(picture).toContain('herdlock, nothing stale')
    expect(picture).toContain('prefers-color-scheme: dark')
    expect(picture).not.toMatch(/NaN|Infinity/)
  })

  it('tells how far it is, apart from the result', async () => {
    await writeFile(join(folder, 'access.log'), combined(150_000))
    const { code, out, err } = await herdlock(['tune', join(folder, 'access.log'), '--ttl', '1000', '--json'])
    expect([code, (JSON.parse(out) as Told).requests]).toEqual([0, 150_000])
    // A fast machine is ready before there is anything to tell.
    expect(err).toMatch(/^(\d+ lines read\n|replay \d+ of \d+\n)*$/)
  }, 60_000)

  it.each([
    [['missing.log'], /missing\.log cannot be read: ENOENT/],
    [[], /tune needs one access log/],
    [['a', 'b'], /tune needs one access log/],
    [['a', '--ttl', '1s'], /--ttl must be whole numbers above 0/],
    [['a', '--prefix', 'x'], /tune has no option --prefix/],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await herdlock(['tune', ...args])
    expect(code).toBe(2)
    expect(err).toMatch(message)
  })

  it('refuses a log without a request', async () => {
    await expect(tune('nothing\n', 'empty.log')).rejects.toThrow(
      /has no request that could be read; it begins with nothing/,
    )
  })
})
