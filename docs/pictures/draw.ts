import { writeFile } from 'node:fs/promises'
import { pictures } from './pictures.ts'

// npm run pictures: draws the pictures of the docs anew, from the files beside this one.
for (const { name, svg } of pictures) await writeFile(new URL(`${name}.svg`, import.meta.url), svg)
console.log(`drawn: ${pictures.map(({ name }) => name).join(', ')}`)
