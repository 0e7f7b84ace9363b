import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { keepCopy } from './kept-copy.ts'

const run = promisify(execFile)

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Downloads a package of Debian or Ubuntu, and the libraries it lacks, into private directories, and unpacks them into
 * `home`; `complete` may add to them before. Of another `suite` than the system's all libraries come along, since the
 * system's may be too old. Needs no root and touches no state of the system. Rejects where there is no apt or no archive.
 */
export async function unpackPackage(
  name: string,
  home: string,
  complete: (root: string) => Promise<void> = async () => {},
  suite?: string,
): Promise<void> {
  await keepCopy(home, async (work) => {
    const root = join(work, 'root')
    for (const archive of await downloadWithLibraries(name, work, suite)) await run('dpkg-deb', ['-x', archive, root])
    await complete(root)
    return root
  })
}

async function downloadWithLibraries(wanted: string, work: string, suite?: string): Promise<string[]> {
  const options = [...(await privateApt(work)), ...(suite === undefined ? [] : await sourcesOf(suite, work))]
  await run('apt-get', [...options, '-q', 'update'])
  const archives = join(work, 'archives')
  await mkdir(archives)
  const chosen = new Set([wanted])
  let added = [wanted]
  while (added.length > 0) {
    const libraries = await librariesOf(added, options)
    added = []
    for (const name of libraries) {
      if (chosen.has(name) || (suite === undefined && (await isInstalled(name)))) continue
      chosen.add(name)
      added.push(name)
    }
  }
  const names = [...chosen].map((name) => (suite === undefined ? name : `${name}/${suite}`))
  await run('apt-get', [...options, '-q', 'download', ...names], { cwd: archives })
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

/** Takes packages from that suite of the system's own mirror of Debian, and from nowhere else. */
async function sourcesOf(suite: string, work: string): Promise<string[]> {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)'])
  const mirror = stdout.split('\n').find((uri) => /\/debian\/?$/.test(uri))
  if (mirror === undefined) throw new Error(`no mirror of Debian among the sources of apt, from which to take ${suite}`)
  const list = join(work, 'sources.list')
  await writeFile(list, `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`)
  return ['-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=/dev/null']
}

async function librariesOf(names: readonly string[], options: readonly string[]): Promise<string[]> {
  const { stdout } = await run('apt-cache', [...options, 'depends', ...names])
  return [...stdout.matchAll(/^\s*\|?(?:Pre)?Depends: (z?lib[\w.+-]+)/gm)].map((match) => match[1] as string)
}

async function isInstalled(name: string): Promise<boolean> {
  return run('dpkg-query', ['-W', '-f', '${db:Status-Status}', name]).then(
    ({ stdout }) => stdout.includes('installed') && !stdout.includes('not-installed'),
    () => false,
  )
}
