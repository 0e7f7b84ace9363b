import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The names of the files of src/ that package.json exports, and of its command. */
export async function entries(): Promise<string[]> {
  const { exports, bin } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>
    bin: Record<string, string>
  }
  const exported = Object.values(exports).flatMap((each) => (typeof each === 'string' ? [] : [each.default]))
  return [...exported, ...Object.values(bin)].map((file) => file.replace(/^(\.\/)?dist\/(.*)\.js$/, '$2'))
}
