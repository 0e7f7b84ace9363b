import { installCommand, installPackages, maySetUp, onPath } from './apt-install.ts'

/** Spin writes the checker of a model in C, which gcc compiles. */
export interface ModelChecker {
  readonly spin: string
  readonly gcc: string
}

const PACKAGES = 'spin gcc libc6-dev'
const REMEDY = `install them (on Debian: ${installCommand(PACKAGES)}) and see that both are on the PATH`

/** How long Spin and gcc may take to be installed, in ms. */
export const MODEL_CHECKER_START = 300_000

let found: Promise<ModelChecker> | undefined

/**
 * Spin and gcc: those on the PATH; failing that, root on Debian gets the distribution's installed, which is said.
 * Otherwise it fails, and names the remedy.
 */
export function findModelChecker(say: (message: string) => void): Promise<ModelChecker> {
  return (found ??= search(say))
}

async function search(say: (message: string) => void): Promise<ModelChecker> {
  const checker = await look()
  if (checker !== undefined) return checker
  if (!(await maySetUp())) throw new Error(`Spin and gcc are needed to check the model: ${REMEDY}`)
  say('Spin and gcc: not found, so Debian’s are installed; this takes a minute')
  try {
    await installPackages(PACKAGES)
  } catch (error) {
    throw new Error(`Spin and gcc could not be installed: ${REMEDY}`, { cause: error })
  }
  const installed = await look()
  if (installed === undefined) throw new Error(`Spin and gcc were installed, and are not on the PATH: ${REMEDY}`)
  return installed
}

async function look(): Promise<ModelChecker | undefined> {
  const [spin, gcc] = await Promise.all([onPath(['spin']), onPath(['gcc'])])
  return spin === undefined || gcc === undefined ? undefined : { spin, gcc }
}
