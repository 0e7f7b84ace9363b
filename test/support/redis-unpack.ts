import { readdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { unpackPackage } from './apt-unpack.ts'
import { exists, homeOf } from './kept-copy.ts'

const HOME = homeOf('redis')

interface UnpackedRedis {
  server: string
  env: NodeJS.ProcessEnv
}

/** The copy that an earlier `unpackRedis` left under `node_modules/.cache`, if any. */
export async function findUnpackedRedis(): Promise<UnpackedRedis | undefined> {
  const server = serverIn(HOME)
  return (await exists(server)) ? { server, env: await libraryPath(HOME) } : undefined
}

/** Unpacks redis-tools. Rejects where there is no apt or no archive. */
export async function unpackRedis(): Promise<UnpackedRedis> {
  // One binary plays every part: the name it is called by decides.
  await unpackPackage('redis-tools', HOME, (root) => symlink('redis-check-rdb', serverIn(root)))
  return { server: serverIn(HOME), env: await libraryPath(HOME) }
}

function serverIn(root: string): string {
  return join(root, 'usr', 'bin', 'redis-server')
}

async function libraryPath(root: string): Promise<NodeJS.ProcessEnv> {
  const files = await readdir(root, { recursive: true })
  const folders = new Set(files.filter((file) => /\.so(\.|$)/.test(file)).map((file) => join(root, dirname(file))))
  return { LD_LIBRARY_PATH: [...folders, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':') }
}
