// The end of the build: in dist/ a module that holds the page's files stands in place of the one that reads them.
import { rmSync, writeFileSync } from 'node:fs'
import { pageSource } from './page-source.ts'

const built = new URL('../../dist/dashboard/page-source.js', import.meta.url)
writeFileSync(built, `export const pageSource = ${JSON.stringify(pageSource, null, 2)}\n`)
rmSync(new URL('page-source.js.map', built))
