import { readFileSync } from 'node:fs'

/** A file of the page. */
export interface PageFile {
  readonly type: string
  readonly content: string
}

const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }

/** Where the page has a nonce, in place of which each answer puts its own. */
const NONCE = '__NONCE__'
const NAMES = [
  'index.html',
  'style.css',
  'icon.svg',
  ...['app.js', 'charts.js', 'dom.js', 'format.js', 'lookup.js', 'model.js', 'panels.js'],
] as const

/** The files of the page by the path under which it asks for them; they lie beside this file. */
export function readPageFiles(): Map<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of NAMES) {
    const extension = name.split('.')[1] as keyof typeof TYPES
    const content = readFileSync(new URL(`page/${name}`, import.meta.url), 'utf8')
    files.set(name === 'index.html' ? '/' : `/${name}`, { type: `${TYPES[extension]}; charset=utf-8`, content })
  }
  return files
}

export function withNonce(html: string, nonce: string): string {
  return html.replaceAll(NONCE, nonce)
}
