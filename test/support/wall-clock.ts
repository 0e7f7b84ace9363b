import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unpackPackage } from './apt-unpack.ts'
import { exists, homeOf } from './kept-copy.ts'

/** A wall clock that a test may move, for processes of its own; their monotonic clock stays the host's. */
export interface WallClock {
  /** For the environment of a process that is to go by it. */
  readonly env: NodeJS.ProcessEnv
  /** From now on it is `seconds` ahead of the host's, or behind it. */
  setAhead(seconds: number): Promise<void>
  end(): Promise<void>
}

const HOME = homeOf('libfaketime')
const LIBRARY = 'faketime/libfaketimeMT.so.1'
const REMEDY = 'install it (on Debian: apt-get install libfaketime), or name libfaketimeMT.so.1 in LIBFAKETIME'

/** By libfaketime: that of LIBFAKETIME, of the system, of an earlier unpacked copy, or one that is unpacked now. */
export async function startWallClock(): Promise<WallClock> {
  const folder = await mkdtemp(join(tmpdir(), 'wall-clock-'))
  const file = join(folder, 'ahead')
  const clock: WallClock = {
    env: {
      LD_PRELOAD: await findLibrary(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1', // what the file says counts at once
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    async setAhead(seconds) {
      // Never seen half written.
      await writeFile(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
      await rename(`${file}.new`, file)
    },
    end: () => rm(folder, { recursive: true }),
  }
  await clock.setAhead(0)
  return clock
}

async function findLibrary(): Promise<string> {
  const named = process.env['LIBFAKETIME']
  if (named) return named
  const found = (await libraryIn('/')) ?? (await libraryIn(HOME))
  if (found !== undefined) return found
  try {
    await unpackPackage('libfaketime', HOME)
  } catch (error) {
    throw new Error(`no libfaketime: ${REMEDY}`, { cause: error })
  }
  const unpacked = await libraryIn(HOME)
  if (unpacked === undefined) throw new Error(`the package libfaketime has no ${LIBRARY}: ${REMEDY}`)
  return unpacked
}

/** Debian's folders of libraries have the name of the architecture. */
async function libraryIn(root: string): Promise<string | undefined> {
  const folder = join(root, 'usr', 'lib')
  const names = (await exists(folder)) ? await readdir(folder) : []
  for (const name of names) {
    const path = join(folder, name, LIBRARY)
    if (await exists(path)) return path
  }
  return undefined
}
