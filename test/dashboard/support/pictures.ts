import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'

const FOLDER = fileURLToPath(new URL('../../../docs/pictures/', import.meta.url))
const MOST_BYTES = 200_000

/** Whether the pictures of the docs are to be replaced: with UPDATE_PICTURES=1. */
export const picturesAreWanted: boolean = process.env['UPDATE_PICTURES'] !== undefined

/** A picture of what the window shows, small enough for the docs; put there if that is wanted. */
export async function takePicture(tab: Page, name: string): Promise<void> {
  const picture = await tab.screenshot({ animations: 'disabled' })
  expect(picture.length).toBeLessThan(MOST_BYTES)
  if (picturesAreWanted) await writeFile(`${FOLDER}${name}.png`, picture)
}
