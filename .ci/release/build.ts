import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { transform } from 'esbuild'
import { rolldown } from 'rolldown'
import { dts } from 'rolldown-plugin-dts'
import { entries, ROOT } from './entries.ts'
import { pageSource } from '../../src/dashboard/page-source.ts'

/**
 *     npm run build
 *
 * Makes dist/ from src/: one file for each entry of the package, and files for what entries share, so that an application
 * that imports two of them has one cache of flights. Types are bundled likewise: only what an entry shows is in them.
 */
const DIST = join(ROOT, 'dist')
const outside = /^[^./]/

const names = await entries()
await rm(DIST, { recursive: true, force: true })
await Promise.all([code(), types()])

async function code(): Promise<void> {
  const page = await smallPage()
  const bundle = await rolldown({
    input: inputs(join(ROOT, 'src'), '.ts'),
    external: outside,
    platform: 'node',
    plugins: [
      {
        name: 'embedded-page',
        load: {
          filter: { id: /page-source\.ts$/ },
          handler: () => `export const pageSource = ${JSON.stringify(page)}`,
        },
      },
    ],
  })
  await bundle.write({
    dir: DIST,
    entryFileNames: '[name].js',
    chunkFileNames: 'shared/[name].js',
    comments: false,
  })
  await chmod(join(DIST, 'cli.js'), 0o755)
}

/** A browser asks for the dashboard's files by name; so each stays a file, without what a browser does not need. */
async function smallPage(): Promise<Record<string, string>> {
  const small = async ([name, text]: [string, string]): Promise<[string, string]> => {
    const loader = /\.(js|css)$/.exec(name)?.[1] as 'js' | 'css' | undefined
    if (loader === undefined) return [name, text.replaceAll(/\n\s+/g, '\n')]
    return [name, (await transform(text, { loader, minify: true, target: 'es2022' })).code]
  }
  return Object.fromEntries(await Promise.all(Object.entries(pageSource).map(small)))
}

async function types(): Promise<void> {
  // In the project, where declarations find those of the libraries.
  const folder = await mkdtemp(join(ROOT, 'node_modules', '.declarations-'))
  try {
    execFileSync(
      process.execPath,
      [
        ...[join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(ROOT, 'tsconfig.build.json')],
        ...['--outDir', folder],
      ],
      { stdio: 'inherit' },
    )
    const bundle = await rolldown({
      input: inputs(folder, '.d.ts', (name) => name !== 'cli'),
      external: outside,
      plugins: [dts({ dtsInput: true, oxc: true, sourcemap: false })],
    })
    await bundle.write({ dir: DIST, entryFileNames: '[name].d.ts', chunkFileNames: 'shared/[name].d.ts' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function inputs(folder: string, ending: string, wanted = (_name: string): boolean => true): Record<string, string> {
  return Object.fromEntries(names.filter(wanted).map((name) => [name, join(folder, `${name}${ending}`)]))
}
