import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { chromium, type Browser } from 'playwright-core'

const run = promisify(execFile)
const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
const INSTALL = 'apt-get install -y --no-install-recommends chromium'
const REMEDY = `install one (on Debian: ${INSTALL}), or name it in CHROMIUM_BIN`

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
  const found = await onPath()
  if (found !== undefined) return found
  if (process.getuid?.() !== 0 || !(await isProgram('/usr/bin/apt-get'))) throw new Error(`no Chromium: ${REMEDY}`)
  say('Chromium: none found, so Debian’s is installed; this takes a minute')
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    await run('apt-get', ['update'], { env })
    await run('sh', ['-c', INSTALL], { env, maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    throw new Error(`Chromium could not be installed: ${REMEDY}`, { cause: error })
  }
  const installed = await onPath()
  if (installed === undefined) throw new Error(`Chromium was installed, and is not on the PATH: ${REMEDY}`)
  return installed
}

async function onPath(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const name of NAMES) if (await isProgram(join(folder, name))) return join(folder, name)
  }
  return undefined
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** How long a browser may take to be installed and to start, in ms. */
export const CHROMIUM_START = 300_000

/** Starts the browser; whoever calls it closes it. Its sandbox does not work for root. */
export async function startChromium(): Promise<Browser> {
  const executablePath = await findChromium(console.log)
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
}
