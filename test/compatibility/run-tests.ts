import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Results {
  readonly testResults: readonly { readonly name: string; readonly status: string }[]
}

/**
 * Runs these suites by this Node, and says whether they pass. Some measure time, which other work on the machine may
 * spoil: what fails is tried once more, alone.
 */
export function runTests(node: string, suites: readonly string[], env: NodeJS.ProcessEnv): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'herdlock-results-'))
  const results = join(folder, 'results.json')
  const run = (...args: readonly string[]): boolean => {
    const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${results}`]
    return (
      spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args], { env, stdio: 'inherit' })
        .status === 0
    )
  }
  try {
    if (run(...suites)) return true
    const { testResults } = JSON.parse(readFileSync(results, 'utf8')) as Results
    const failed = testResults.filter(({ status }) => status !== 'passed').map(({ name }) => name)
    return failed.length > 0 && run('--maxWorkers=1', '--retry=2', ...failed)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
