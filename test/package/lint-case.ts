import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A file of src as someone might write it. */
export interface LintCase {
  /** Path in the project; a `*` in it stands for any name. */
  file: string
  code: string
}

/** The rules that refuse each of the cases under our lint configuration, in the order of the cases. */
export async function lintCases(cases: readonly LintCase[]): Promise<string[][]> {
  const found: string[][] = cases.map(() => [])
  let rest = cases.map((lintCase, index) => ({
    index,
    code: lintCase.code,
    file: lintCase.file.replace('*', `case-${index}`),
  }))
  // Cases that need the same path are linted one after the other, all others together.
  while (rest.length > 0) {
    const round = new Map(rest.map((lintCase) => [lintCase.file, lintCase]))
    rest = rest.filter((lintCase) => round.get(lintCase.file) !== lintCase)
    for (const { file, rule } of await lintProject([...round.values()])) {
      const { index } = round.get(file) ?? {}
      if (index !== undefined) found[index]?.push(rule)
    }
  }
  return found
}

async function lintProject(files: readonly LintCase[]): Promise<{ file: string; rule: string }[]> {
  const project = await mkdtemp(join(tmpdir(), 'herdlock-lint-'))
  try {
    await copyFile(join(ROOT, 'oxlint.config.js'), join(project, 'oxlint.config.js'))
    await writeFile(join(project, 'package.json'), '{"type":"module"}')
    for (const { file, code } of files) {
      await mkdir(dirname(join(project, file)), { recursive: true })
      await writeFile(join(project, file), code)
    }
    const { diagnostics } = JSON.parse(await oxlint(project)) as { diagnostics: { code: string; filename: string }[] }
    return diagnostics.map(({ code, filename }) => ({ file: filename, rule: /\((.*)\)/.exec(code)?.[1] ?? code }))
  } finally {
    await rm(project, { recursive: true, force: true })
  }
}

function oxlint(project: string): Promise<string> {
  const binary = join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint')
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [binary, '-c', 'oxlint.config.js', '-f', 'json', 'src'],
      { cwd: project, maxBuffer: 2 ** 26 },
      // Its exit code tells of findings; only without an answer has it failed.
      (error, stdout, stderr) => (stdout.startsWith('{') ? resolve(stdout) : reject(error ?? new Error(stderr))),
    )
  })
}
