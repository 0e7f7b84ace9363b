import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/herdlock/', import.meta.url))
const HOME = join(CACHE, `redis-${process.platform}-${process.arch}`)

interface UnpackedRedis {
  server: string
  env: NodeJS.ProcessEnv
}

/** The copy that an earlier `unpackRedis` left under `node_modules/.cache`, if any. */
export async function findUnpackedRedis(): Promise<UnpackedRedis | undefined> {
  const server = serverIn(HOME)
  const present = await access(server).then(
    () => true,
    () => false,
  )
  return present ? { server, env: await libraryPath(HOME) } : undefined
}

/**
 * Downloads redis-tools and the libraries it lacks with apt, into private directories, and unpacks them. Needs no
 * root and touches no state of the system. Rejects where there is no apt or no archive.
 */
export async function unpackRedis(): Promise<UnpackedRedis> {
  await mkdir(CACHE, { recursive: true })
  const work = await mkdtemp(join(CACHE, 'unpack-'))
  try {
    const root = join(work, 'root')
    for (const archive of await downloadWithLibraries('redis-tools', work)) {
      await run('dpkg-deb', ['-x', archive, root])
    }
    // One binary plays every part: the name it is called by decides.
    await symlink('redis-check-rdb', serverIn(root))
    await rm(HOME, { recursive: true, force: true })
    // A rename is atomic: two test runs that unpack at once both end with a whole copy.
    await rename(root, HOME).catch(async (error: unknown) => {
      if (!(await findUnpackedRedis())) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return { server: serverIn(HOME), env: await libraryPath(HOME) }
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

function serverIn(root: string): string {
  return join(root, 'usr', 'bin', 'redis-server')
}

async function libraryPath(root: string): Promise<NodeJS.ProcessEnv> {
  const files = await readdir(root, { recursive: true })
  const folders = new Set(files.filter((file) => /\.so(\.|$)/.test(file)).map((file) => join(root, dirname(file))))
  return { LD_LIBRARY_PATH: [...folders, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':') }
}
