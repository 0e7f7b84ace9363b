import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, extname, join, posix, relative } from 'node:path'

/**
 * Makes the pages of the site from those of the repository, whose links are right where they stand: `docs/x.md` becomes
 * `x.md`, and whatever else a page links to `project/…`: other pages as they are, source files and folders as pages that
 * show them.
 */
export class Pages {
  readonly #root: string
  readonly #target: string
  /** Paths in the repository that are pages of the site, or are about to be. */
  readonly #known = new Set<string>()
  readonly #todo: string[] = []

  constructor(root: string, target: string) {
    this.#root = root
    this.#target = target
  }

  /** Writes all pages anew that can be reached from the docs and the README. */
  async write(): Promise<void> {
    await rm(this.#target, { recursive: true, force: true })
    const docs = await readdir(join(this.#root, 'docs'))
    for (const page of docs.filter((name) => name.endsWith('.md'))) this.#need(`docs/${page}`)
    this.#need('README.md')
    for (let path = this.#todo.pop(); path !== undefined; path = this.#todo.pop()) await this.#writeOne(path)
  }

  #need(path: string): void {
    if (this.#known.has(path)) return
    this.#known.add(path)
    this.#todo.push(path)
  }

  async #writeOne(path: string): Promise<void> {
    const file = join(this.#root, path)
    const target = join(this.#target, this.#placeOf(path, (await stat(file)).isDirectory()))
    await mkdir(dirname(target), { recursive: true })
    if (/\.(svg|png|webp)$/.test(path)) await copyFile(file, target)
    else if ((await stat(file)).isDirectory()) await writeFile(target, await this.#folderPage(path))
    else if (path.endsWith('.md')) await writeFile(target, await this.#relinked(path, await readFile(file, 'utf8')))
    else await writeFile(target, sourcePage(path, await readFile(file, 'utf8')))
  }

  /** Where a path of the repository stands on the site. */
  #placeOf(path: string, isFolder: boolean): string {
    const place = path.startsWith('docs/') ? path.slice('docs/'.length) : `project/${path}`
    if (isFolder) return `${place}/index.md`
    return /\.(md|svg|png|webp)$/.test(path) ? place : `${place}.md`
  }

  async #relinked(path: string, text: string): Promise<string> {
    const links = [...withoutCode(text).matchAll(LINK)].map((match) => match.slice(1).find(Boolean) as string)
    let relinked = text
    for (const link of new Set(links.filter((each) => !/^([a-z]+:|#)/.test(each)))) {
      const [to = '', anchor] = link.split('#')
      const linked = posix.normalize(posix.join(posix.dirname(path), to)).replace(/\/$/, '')
      const found = await stat(join(this.#root, linked)).catch(() => undefined)
      if (found === undefined) throw new Error(`${path} links to ${link}, which is not there`)
      const isFolder = found.isDirectory()
      this.#need(linked)
      const from = posix.dirname(this.#placeOf(path, false))
      const place = posix.relative(from, this.#placeOf(linked, isFolder))
      const there = `${place.startsWith('.') ? place : `./${place}`}${anchor === undefined ? '' : `#${anchor}`}`
      relinked = relinked.replaceAll(`](${link})`, `](${there})`).replaceAll(`="${link}"`, `="${there}"`)
    }
    return relinked
  }

  async #folderPage(path: string): Promise<string> {
    const files = await readdir(join(this.#root, path), { recursive: true, withFileTypes: true })
    const names = files
      .filter((file) => file.isFile())
      .map((file) => posix.join(relative(join(this.#root, path), file.parentPath), file.name))
      .filter((name) => !/node_modules|\/dist\//.test(name) && /\.([jt]s|md|json|ya?ml)$/.test(name))
      .sort()
    for (const name of names) this.#need(`${path}/${name}`)
    const items = names.map((name) => `- [${name}](./${name.replace(/(\.md)?$/, '.md')})`)
    return `# ${path}/\n\n${items.join('\n')}\n`
  }
}

const LINK = /\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g

/** Brackets in code are no links. */
function withoutCode(text: string): string {
  return text.replace(/^(`{3,})[^`][\s\S]*?^\1$/gm, '').replace(/`[^`\n]+`/g, '')
}

function sourcePage(path: string, source: string): string {
  const language = extname(path).slice(1) || 'text'
  return `---\noutline: false\n---\n\n# ${path}\n\n\`\`\`\`${language}\n${source.trimEnd()}\n\`\`\`\`\n`
}
