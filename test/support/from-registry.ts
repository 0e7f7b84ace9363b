import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exists, homeOf, keepCopy } from './kept-copy.ts'

const run = promisify(execFile)

/**
 * The `node_modules` folder with exactly this version of a package and what it depends on, from the package registry, and of
 * its peers those in `beside`, as `name@version`. Scripts of packages are not run.
 */
export async function fromRegistry(name: string, version: string, beside: readonly string[] = []): Promise<string> {
  const wanted = [`${name}@${version}`, ...beside]
  const home = homeOf(wanted.join('+').replaceAll('/', '+'))
  if (!(await exists(home))) await keepCopy(home, (work) => install(wanted, join(work, 'project')))
  return join(home, 'node_modules')
}

async function install(wanted: readonly string[], folder: string): Promise<string> {
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline']
  await run('npm', ['install', ...quiet, ...wanted], { cwd: folder })
  return folder
}
