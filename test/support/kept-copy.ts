import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/herdlock/', import.meta.url))

/** Where what was fetched under this name is kept between runs of the tests. */
export function homeOf(name: string): string {
  return join(CACHE, `${name}-${process.platform}-${process.arch}`)
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Puts at `home` the folder that `make` makes, and says where, within a private one: all of it or nothing. */
export async function keepCopy(home: string, make: (work: string) => Promise<string>): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const work = await mkdtemp(join(CACHE, 'work-'))
  try {
    const made = await make(work)
    await rm(home, { recursive: true, force: true })
    // A rename is atomic: two test runs that do this at once both end with a whole copy.
    await rename(made, home).catch(async (error: unknown) => {
      if (!(await exists(home))) throw error
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
