import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pages } from './pages.ts'

/**
 *     npm run docs
 *
 * Builds the site into site/dist: the pages of the repository, and an API reference from the docstrings of all that
 * package.json exports. Its tools are a package of their own, which is installed where that was not done yet.
 */
const root = fileURLToPath(new URL('../', import.meta.url))
const site = join(root, 'site')

const installed = join(site, 'node_modules', '.package-lock.json')
const isInstalled =
  existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(site, 'package-lock.json')).mtimeMs
if (!isInstalled) run('npm', ['ci', '--no-audit', '--no-fund'])

await new Pages(root, join(site, 'pages')).write()
const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { exports: object }
const entries = Object.values(exports).flatMap((each: string | { default: string }) =>
  typeof each === 'string' ? [] : [each.default.replace('./dist/', '../src/').replace('.js', '.ts')],
)
run(process.execPath, ['node_modules/typedoc/bin/typedoc', ...entries.flatMap((entry) => ['--entryPoints', entry])])
run(process.execPath, ['node_modules/vitepress/bin/vitepress.js', 'build'])

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: site, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error })
}
