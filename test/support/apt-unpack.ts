import { execFile } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keepCopy } from './kept-copy.ts'

const run = promisify(execFile)

/**
 * Downloads a package of Debian or Ubuntu, and the libraries it lacks, into private directories, and unpacks them into
 * `home`; `complete` may add to them before. Needs no root and touches no state of the system. Rejects where there is no
 * apt or no archive.
 */
export async function unpackPackage(
  name: string,
  home: string,
  complete: (root: string) => Promise<void> = async () => {},
): Promise<void> {
  await keepCopy(home, async (work) => {
    const root = join(work, 'root')
    for (const archive of await downloadWithLibraries(name, work)) await run('dpkg-deb', ['-x', archive, root])
    await complete(root)
    return root
  })
}

async function downloadWithLibraries(wanted: string, work: string): Promise<string[]> {
  const options = await privateApt(work)
  await run('apt-get', [...options, '-q', 'update'])
  const archives = join(work, 'archives')
  await mkdir(archives)
  const queue = [wanted]
  for (const name of queue) {
    await run('apt-get', [...options, '-q', 'download', name], { cwd: archives })
    for (const library of await missingLibraries(name, options)) {
      if (!queue.includes(library)) queue.push(library)
    }
  }
  return (await readdir(archives)).map((file) => join(archives, file))
}

async function privateApt(work: string): Promise<string[]> {
  const state = join(work, 'state')
  const cache = join(work, 'cache')
  await mkdir(join(state, 'lists', 'partial'), { recursive: true })
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true })
  // apt run by root would hand its work to a user who may not write into our directories.
  const sandbox = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : []
  return ['-o', `Dir::State=${state}`, '-o', `Dir::Cache=${cache}`, '-o', 'Debug::NoLocking=1', ...sandbox]
}

async function missingLibraries(name: string, options: readonly string[]): Promise<string[]> {
  const { stdout } = await run('apt-cache', [...options, 'depends', name])
  const libraries = [...stdout.matchAll(/^\s*\|?(?:Pre)?Depends: (lib[\w.+-]+)/gm)].map((match) => match[1] as string)
  const missing: string[] = []
  for (const library of libraries) {
    if (!(await isInstalled(library))) missing.push(library)
  }
  return missing
}

async function isInstalled(name: string): Promise<boolean> {
  return run('dpkg-query', ['-W', '-f', '${db:Status-Status}', name]).then(
    ({ stdout }) => stdout.includes('installed') && !stdout.includes('not-installed'),
    () => false,
  )
}
