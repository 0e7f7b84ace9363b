import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('page/', import.meta.url)

/**
 * The page's files by name. This module is for the sources alone: the build (.ci/release/build.ts) puts one in its place that
 * holds the files, because a bundle leaves behind what lies beside its code.
 */
export const pageSource: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(FOLDER)
    .filter((name) => !name.endsWith('.json'))
    .map((name) => [name, readFileSync(new URL(name, FOLDER), 'utf8')]),
)
