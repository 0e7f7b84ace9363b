import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bunBinary, denoBinary } from '../compatibility/binaries.ts'
import { BUN, DENO } from '../compatibility/versions.ts'
import { freePort } from '../support/free-port.ts'
import type { Page } from './pages.ts'
import { ROOT, run } from './packed.ts'

/**
 * The code in our pages, run as a reader would run it. Every block in ts or js is a program of its own, unless the word
 * `continues` follows its language: then what it continues, the block before it in the page, comes first. With the word
 * `bun` or `deno` that runs it, else Node; with `commonjs` it is a module of that kind.
 *
 * Two things stand for the reader's own and are replaced here: the Redis at `redis://localhost:6379`, which is also that
 * of `new Redis()` and of `{ host: 'localhost', port: 6379 }`, and port 3000.
 */
interface Snippet {
  /** As in `README.md:12`. */
  readonly name: string
  /** Path in the project of the program that was made of it, once `compile` has run. */
  readonly program: string
  /** What runs it. */
  readonly runtime: Runtime
}

type Runtime = 'node' | 'bun' | 'deno'

const COMMANDS: Record<Runtime, () => Promise<[program: string, ...args: string[]]>> = {
  node: async () => [process.execPath],
  bun: async () => [await bunBinary(BUN)],
  deno: async () => [await denoBinary(DENO), 'run', '--allow-all', '--quiet'],
}

const LANGUAGES = ['ts', 'js']
const REDIS = /new Redis\(\)|redis:\/\/localhost:6379/g
const ADDRESS = /host: 'localhost', port: 6379/g
const PORT = /\b3000\b/g

/** A folder in the project, where programs find herdlock by its name. Ignored by git. */
const HOME = join(ROOT, '.snippets')
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
const HARNESS = join(ROOT, 'test', 'package', 'snippet-harness.js')

export interface Snippets {
  readonly list: readonly Snippet[]
  /** Type-checks all of them in a strict project and makes programs of them. Rejects with the compiler's errors. */
  compile(): Promise<void>
  /** Runs one to its end. If it listens, its routes are asked for. Rejects with what it printed when it fails. */
  run(snippet: Snippet): Promise<string>
  remove(): Promise<void>
}

/** `home`: in which folder; there they must find herdlock by its name. `options` of the compiler replace the usual ones. */
export async function prepareSnippets(
  pages: readonly Page[],
  redisUrl: string,
  { home = HOME, options = {} }: { home?: string; options?: object } = {},
): Promise<Snippets> {
  await mkdir(home, { recursive: true })
  const folder = await mkdtemp(join(home, 'run-'))
  const port = await freePort()
  const list: Snippet[] = []
  for (const page of pages) {
    for (const { name, text, extension, runtime } of programsOf(page)) {
      const file = `${name.replaceAll('/', '-').replace(':', '-')}.${extension}`
      await writeFile(join(folder, file), substitute(text, redisUrl, port))
      list.push({ name, program: join(folder, 'out', file.replace(/\.ts$/, '.js')), runtime })
    }
  }
  const { compilerOptions, include } = tsconfig
  const config = { compilerOptions: { ...compilerOptions, ...options }, include }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  return {
    list,
    compile: async () => void (await run(process.execPath, [TSC, '-p', folder], ROOT)),
    async run({ program, runtime }) {
      const [command, ...args] = await COMMANDS[runtime]()
      return run(command, [...args, HARNESS, program, String(port)], ROOT)
    },
    async remove() {
      await rm(folder, { recursive: true, force: true })
      await rmdir(home).catch(() => {}) // another run may have its folder there
    },
  }
}

const tsconfig = {
  compilerOptions: {
    ...{ module: 'nodenext', target: 'es2023', lib: ['es2023', 'esnext.disposable'], types: ['node'] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true },
    ...{ experimentalDecorators: true, emitDecoratorMetadata: true }, // those of Nest
    ...{ allowJs: true, skipLibCheck: true, rootDir: '.', outDir: 'out' },
  },
  include: ['*.ts', '*.js', '*.mjs', '*.cjs'],
}

/** Each block with what it continues, at the lines where they stand in the page: errors name the right ones. */
function programsOf({ path, blocks }: Page): { name: string; text: string; extension: string; runtime: Runtime }[] {
  const programs = []
  let lines: string[] = []
  for (const { language, words, line, lines: own } of blocks) {
    if (!LANGUAGES.includes(language)) continue
    if (!words.includes('continues')) lines = []
    while (lines.length < line - 1) lines.push('')
    lines.push(...own)
    const runtime: Runtime = (['bun', 'deno'] as const).find((name) => words.includes(name)) ?? 'node'
    const isCommon = words.includes('commonjs')
    const text = `${lines.join('\n')}\n${isCommon ? '' : 'export {}\n'}`
    programs.push({ name: `${path}:${line}`, text, extension: isCommon ? 'cjs' : language, runtime })
  }
  return programs
}

function substitute(code: string, redisUrl: string, port: number): string {
  const { hostname, port: redisPort } = new URL(redisUrl)
  return code
    .replace(ADDRESS, `host: '${hostname}', port: ${redisPort}`)
    .replace(REDIS, (match) => (match.startsWith('new') ? `new Redis('${redisUrl}')` : redisUrl))
    .replace(PORT, String(port))
}
