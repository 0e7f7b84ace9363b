import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, run } from './packed.ts'

/**
 *     npm run test:clone
 *
 * What a stranger does first: clones the repository as it is committed, and runs the first line of the README's "See it
 * work". It takes a minute or two, most of it for `npm ci`.
 */
const folder = await mkdtemp(join(tmpdir(), 'herdlock-clone-'))
try {
  const clone = join(folder, 'herdlock')
  await run('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone], folder)
  const command = await firstCommand(join(clone, 'README.md'))
  console.log(`in a fresh clone: ${command}`)
  const output = await run('sh', ['-c', command], clone)
  console.log(output)
  const slowest = (name: string): number => {
    const [, figure, unit] = new RegExp(`^${name} .* ([\\d.]+) (m?s) +\\d+$`, 'm').exec(output) ?? []
    return Number(figure) * (unit === 'ms' ? 1 : 1000)
  }
  const [without, withFlight] = [slowest('without singleFlight'), slowest('with singleFlight')]
  // 1000 requests by 20 at a time, 200 ms each.
  if (!(without >= 9_500)) throw new Error(`without singleFlight the slowest took ${without} ms, and not 10 s`)
  if (!(withFlight < without / 5)) throw new Error(`with singleFlight the slowest took ${withFlight} ms`)
  const left = await run('git', ['status', '--porcelain'], clone)
  if (left !== '') throw new Error(`the clone has changed:\n${left}`)
  console.log('as the README says')
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function firstCommand(readme: string): Promise<string> {
  const text = await readFile(readme, 'utf8')
  const [, command] = /^## See it work\n[^`]*```bash\n(.*?) *(?:#.*)?\n/m.exec(text) ?? []
  if (command === undefined) throw new Error('the README has no command under "See it work"')
  return command
}
