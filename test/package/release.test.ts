import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as WorkflowParser from '@actions/workflow-parser'
import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { missingFacts } from '../../.ci/release/owner-facts.ts'
import { ROOT, run } from './packed.ts'

const WORKFLOWS = join(ROOT, '.github', 'workflows')
const OWNERS = ['package.json', 'SECURITY.md', 'RELEASING.md']

/** What the owner will fill in, by the word that `release:check` begins its line with. */
const filled: Record<string, (folder: string) => Promise<void>> = {
  repository: (folder) => setField(folder, 'repository', { type: 'git', url: 'git+https://example.com/herdlock.git' }),
  homepage: (folder) => setField(folder, 'homepage', 'https://example.com'),
  bugs: (folder) => setField(folder, 'bugs', { url: 'https://example.com/issues' }),
  author: (folder) => setField(folder, 'author', 'Somebody'),
  security: (folder) => edit(folder, 'SECURITY.md', (text) => `${text}\nhttps://example.com/security\n`),
  'trusted publisher': (folder) =>
    edit(folder, 'RELEASING.md', (text) => text.replace('- [ ] **trusted', '- [x] **trusted')),
}

describe('npm run release:check', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'herdlock-release-'))
    for (const name of OWNERS) await cp(join(ROOT, name), join(folder, name))
    // As it is before the owner has filled anything in.
    await edit(folder, 'package.json', (text) => {
      const {
        repository: _r,
        homepage: _h,
        bugs: _b,
        author: _a,
        ...rest
      } = JSON.parse(text) as Record<string, unknown>
      return JSON.stringify(rest)
    })
    await edit(folder, 'SECURITY.md', (text) => text.replaceAll(/https:|mailto:/g, ''))
    await edit(folder, 'RELEASING.md', (text) => text.replaceAll('[x]', '[ ]'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const missing = async (): Promise<string[]> => {
    const said = await check(folder).then(
      () => '',
      (error: Error) => error.message,
    )
    return [...said.matchAll(/^- ([a-z ]+):/gm)].map(([, name]) => name as string)
  }

  it('fails with exactly what only the owner knows', async () => {
    expect(await missing()).toEqual(Object.keys(filled))
  })

  it.each(Object.keys(filled))('fails with %s alone where all else is filled in', async (name) => {
    for (const other of Object.keys(filled)) if (other !== name) await filled[other]?.(folder)
    const [manifest = '', security = '', releasing = ''] = await Promise.all(
      OWNERS.map((file) => readFile(join(folder, file), 'utf8')),
    )
    const lines = missingFacts({ manifest, security, releasing })
    expect(lines.map((line) => line.split(':')[0])).toEqual([name])
  })

  it('succeeds once all of it is filled in', async () => {
    for (const fill of Object.values(filled)) await fill(folder)
    expect(await check(folder)).toContain('All that only the owner knows is there')
  })

  it('asks for no more and no less than RELEASING.md lists', async () => {
    const items = (await readFile(join(ROOT, 'RELEASING.md'), 'utf8'))
      .split('\n')
      .filter((line) => /^- \[[ x]\]/.test(line))
    const named = items.flatMap((line) => [...line.matchAll(/\*\*([a-z ]+)\*\*/g)].map(([, name]) => name as string))
    expect(named.sort()).toEqual(Object.keys(filled).sort())
  })
})

describe('the workflows', async () => {
  const parser = await loadParser()
  const files = await readdir(WORKFLOWS)

  /** As GitHub reads it. */
  async function workflow(name: string, change = (text: string): string => text) {
    const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = parser
    const content = change(await readFile(join(WORKFLOWS, name), 'utf8'))
    const { context, value } = parseWorkflow({ name, content }, new NoOperationTraceWriter())
    const template = value === undefined ? undefined : await convertWorkflowTemplate(context, value)
    const errors = [
      ...context.errors.getErrors().map(({ message }) => message),
      ...(template?.errors ?? []).map(String),
    ]
    return { errors, jobs: template?.jobs ?? [] }
  }

  it.each(files)('%s is one that GitHub takes', async (name) => {
    const { errors, jobs } = await workflow(name)
    expect(errors).toEqual([])
    expect(jobs.length).toBeGreaterThan(0)
  })

  it('would be refused with a mistake in them', async () => {
    const broken = (text: string): string => text.replace('runs-on:', 'run-on:')
    for (const name of files) expect((await workflow(name, broken)).errors).not.toEqual([])
  })

  it('publish by a trusted publisher, with provenance, and only what CI has passed', async () => {
    const text = await readFile(join(WORKFLOWS, 'release.yml'), 'utf8')
    expect(text).toMatch(/npm publish --provenance/)
    expect(text).not.toMatch(/NODE_AUTH_TOKEN|NPM_TOKEN/)
    const { jobs } = await workflow('release.yml')
    expect(jobs.map(({ id, needs }) => [String(id), needs?.map(String) ?? []])).toEqual([
      ['owner', []],
      ['ci', ['owner']],
      ['publish', ['ci']],
    ])
  })
})

describe('changesets', { timeout: 60_000 }, () => {
  it('make the next release candidate of what has changed since this one', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    const folder = await mkdtemp(join(tmpdir(), 'herdlock-changes-'))
    try {
      for (const name of ['package.json', '.changeset', 'CHANGELOG.md', '.prettierrc.json']) {
        await cp(join(ROOT, name), join(folder, name), { recursive: true })
      }
      await writeFile(
        join(folder, '.changeset', 'a-change.md'),
        "---\n'herdlock': patch\n---\n\nSomething is mended.\n",
      )
      await run('git', ['init', '-q', '-b', 'main'], folder)
      await run(
        'git',
        ['-c', 'user.name=x', '-c', 'user.email=x@example.com', 'commit', '-q', '--allow-empty', '-m', 'x'],
        folder,
      )
      await run(process.execPath, [join(ROOT, 'node_modules', '@changesets', 'cli', 'bin.js'), 'version'], folder)
      const next = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
      expect(next.version).toBe(version.replace(/\d+$/, (last) => String(Number(last) + 1)))
      expect(await readFile(join(folder, 'CHANGELOG.md'), 'utf8')).toContain('Something is mended.')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

function check(folder: string): Promise<string> {
  return run(process.execPath, ['--import', 'tsx', join(ROOT, '.ci', 'release', 'check.ts'), folder], ROOT)
}

async function edit(folder: string, name: string, change: (text: string) => string): Promise<void> {
  const file = join(folder, name)
  await writeFile(file, change(await readFile(file, 'utf8')))
}

function setField(folder: string, field: string, value: unknown): Promise<void> {
  return edit(folder, 'package.json', (text) => JSON.stringify({ ...(JSON.parse(text) as object), [field]: value }))
}

/** GitHub's own parser. It imports JSON as bundlers take it, and Node does not. */
async function loadParser(): Promise<typeof WorkflowParser> {
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-workflows-'))
  const outfile = join(folder, 'parser.cjs')
  try {
    const contents = "export * from '@actions/workflow-parser'"
    await build({
      ...{ stdin: { contents, resolveDir: ROOT }, outfile },
      ...{ bundle: true, format: 'cjs', platform: 'node', logLevel: 'silent' },
    })
    return createRequire(import.meta.url)(outfile) as typeof WorkflowParser
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
