import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL_TYPE_CHECKS, TYPE_CHECKS } from '../compatibility/versions.ts'
import { fromRegistry } from '../support/from-registry.ts'
import { allPackages, type Consumer, installed, pack, type Packed } from './packed.ts'

// `npm run test:types` tries all with all; else the oldest compiler and the newest.
const FEW = [TYPE_CHECKS[0], TYPE_CHECKS[4]]
const CHECKS = process.env['TYPE_CHECKS'] === 'all' ? ALL_TYPE_CHECKS : FEW
const TIMEOUT = 120_000
// Links are not followed, so that all packages of the project see the @types/node that it has.
const OPTIONS = ['--preserveSymlinks']
/** The types of frameworks ask for newer compilers than ours do, and those of GLIDE do so with a bundler. */
const FIRST_OF_FRAMEWORKS = 5.7
const FIRST_OF_GLIDE = { nodenext: 5.4, bundler: 5.7 }
const RESOLUTION = {
  nodenext: ['--module', 'nodenext'],
  bundler: ['--module', 'esnext', '--moduleResolution', 'bundler'],
}

describe('types of the package as published, those of libraries checked too', { timeout: TIMEOUT }, () => {
  let packed: Packed
  let consumer: Consumer

  beforeAll(async () => {
    packed = await pack()
    consumer = await installed(packed.tarball, { borrowed: await allPackages() })
  }, TIMEOUT)
  afterAll(async () => {
    await consumer?.remove()
    await packed?.remove()
  })

  it.each(CHECKS)(
    'compile with TypeScript $typescript and @types/node $types in $resolution',
    async ({ typescript, types, resolution }) => {
      const nodes = await fromRegistry('@types/node', types)
      for (const name of ['@types/node', 'undici-types']) await consumer.use(name, join(nodes, name))
      const compiler = join(await fromRegistry('typescript', typescript), 'typescript', 'bin', 'tsc')
      const version = Number.parseFloat(typescript)
      const projects = ['tsconfig.json']
      if (version >= FIRST_OF_GLIDE[resolution]) projects.push('tsconfig.glide.json')
      if (version >= FIRST_OF_FRAMEWORKS) projects.push('tsconfig.frameworks.json')
      for (const project of projects) {
        expect(await consumer.node(compiler, '-p', project, ...OPTIONS, ...RESOLUTION[resolution])).toBe('')
      }
    },
  )
})
