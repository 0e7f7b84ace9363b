import { pageSource } from './page-source.ts'

/** A file of the page. */
export interface PageFile {
  readonly type: string
  readonly content: string
}

const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }

/** Where the page has a nonce, in place of which each answer puts its own. */
const NONCE = '__NONCE__'

/** The files of the page by the path under which it asks for them. */
export const pageFiles: ReadonlyMap<string, PageFile> = new Map(
  Object.entries(pageSource).map(([name, content]) => {
    const extension = name.split('.')[1] as keyof typeof TYPES
    return [name === 'index.html' ? '/' : `/${name}`, { type: `${TYPES[extension]}; charset=utf-8`, content }]
  }),
)

export function withNonce(html: string, nonce: string): string {
  return html.replaceAll(NONCE, nonce)
}
