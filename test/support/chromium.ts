import { chromium, type Browser } from 'playwright-core'
import { installCommand, installPackages, isProgram, maySetUp, onPath } from './apt-install.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
const PACKAGE = 'chromium'
const REMEDY = `install one (on Debian: ${installCommand(PACKAGE)}), or name it in CHROMIUM_BIN`

/**
 * The browser of the tests: CHROMIUM_BIN's, or one on the PATH; failing that, root on Debian gets the distribution's
 * installed, which is said. Otherwise it fails, and names the remedy.
 */
async function findChromium(say: (message: string) => void): Promise<string> {
  const given = process.env['CHROMIUM_BIN']
  if (given) {
    if (await isProgram(given)) return given
    throw new Error(`CHROMIUM_BIN is ${given}, which cannot be run`)
  }
  const found = await onPath(NAMES)
  if (found !== undefined) return found
  if (!(await maySetUp())) throw new Error(`no Chromium: ${REMEDY}`)
  say('Chromium: none found, so Debian’s is installed; this takes a minute')
  try {
    await installPackages(PACKAGE)
  } catch (error) {
    throw new Error(`Chromium could not be installed: ${REMEDY}`, { cause: error })
  }
  const installed = await onPath(NAMES)
  if (installed === undefined) throw new Error(`Chromium was installed, and is not on the PATH: ${REMEDY}`)
  return installed
}

/** How long a browser may take to be installed and to start, in ms. */
export const CHROMIUM_START = 300_000

/** Starts the browser; whoever calls it closes it. Its sandbox does not work for root. */
export async function startChromium(): Promise<Browser> {
  const executablePath = await findChromium(console.log)
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
}
