import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { unpackPackage } from '../support/apt-unpack.ts'
import { exists, homeOf } from '../support/kept-copy.ts'

/** The server binary in a package of any suite of Debian, unpacked with all that it needs. Its client lies beside it. */
export async function debianServer(suite: string, name: string): Promise<string> {
  const kind = name.startsWith('valkey') ? 'valkey' : 'redis'
  const home = homeOf(`${name}-${suite}`)
  // One binary plays every part: what it is called by decides.
  const programs = { [`${kind}-server`]: `${kind}-check-rdb`, [`${kind}-cli`]: `${kind}-cli` }
  const complete = async (root: string): Promise<void> => {
    await mkdir(join(root, 'bin'))
    for (const [called, binary] of Object.entries(programs)) await writeStarter(root, called, binary)
  }
  if (!(await exists(home))) await unpackPackage(name, home, complete, suite)
  return join(home, 'bin', `${kind}-server`)
}

/** The system's loader and libraries may be older than the binary: this starts it with its own. */
async function writeStarter(root: string, called: string, binary: string): Promise<void> {
  const files = await readdir(root, { recursive: true })
  const loader = files.find((file) => /-linux-gnu\/ld-linux[^/]*\.so\.\d+$/.test(file))
  const folders = new Set(files.filter((file) => /\.so(\.|$)/.test(file)).map((file) => `$root/${dirname(file)}`))
  const file = join(root, 'bin', called)
  await writeFile(
    file,
    `#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
exec "$root/${loader}" --argv0 "${called}" --library-path "${[...folders].join(':')}" "$root/usr/bin/${binary}" "$@"
`,
  )
  await chmod(file, 0o755)
}
