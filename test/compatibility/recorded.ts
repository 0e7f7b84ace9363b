import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { pageOf } from './page.ts'
import { CLIENTS, FRAMEWORKS, type Recorded, type Tested } from './tested.ts'

const RECORD = fileURLToPath(new URL('recorded.json', import.meta.url))
export const PAGE = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url))

export async function recorded(): Promise<Recorded> {
  return JSON.parse(await readFile(RECORD, 'utf8')) as Recorded
}

/** Notes that the tests have passed with these, and makes the page anew. */
export async function record<K extends 'runtimes' | 'servers'>(kind: K, passed: Recorded[K]): Promise<void> {
  const before = await recorded()
  const all = Object.entries({ ...before[kind], ...passed })
  await write({ ...before, [kind]: Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1))) })
}

/** Notes the versions of what is installed, and makes the page anew. */
export async function recordInstalled(): Promise<void> {
  await write({ ...(await recorded()), ...(await installed()) })
}

export async function installed(): Promise<Pick<Recorded, 'clients' | 'frameworks'>> {
  return { clients: await versionsOf(CLIENTS), frameworks: await versionsOf(FRAMEWORKS) }
}

/** As `npm run format` leaves it. */
export async function formattedPage(record: Recorded): Promise<string> {
  return format(pageOf(record), { ...(await resolveConfig(PAGE)), filepath: PAGE })
}

async function write(record: Recorded): Promise<void> {
  await writeFile(RECORD, `${JSON.stringify(record, undefined, 2)}\n`)
  await writeFile(PAGE, await formattedPage(record))
}

async function versionsOf(packages: readonly Tested[]): Promise<Record<string, string>> {
  const versions = packages.map(async ({ name, package: folder, version }) => {
    if (version !== undefined) return [name, version] as const
    const manifest = new URL(`../../node_modules/${folder}/package.json`, import.meta.url)
    return [name, (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version] as const
  })
  return Object.fromEntries(await Promise.all(versions))
}
