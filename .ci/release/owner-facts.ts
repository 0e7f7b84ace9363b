/** The texts that only the owner of the project can complete. */
export interface OwnersTexts {
  /** package.json */
  readonly manifest: string
  /** SECURITY.md */
  readonly security: string
  /** RELEASING.md */
  readonly releasing: string
}

/** What only the owner knows, and how to see in the texts that it was filled in. */
const FACTS: readonly { name: string; isKnown(texts: OwnersTexts): boolean }[] = [
  ...(['repository', 'homepage', 'bugs', 'author'] as const).map((field) => ({
    name: `${field}: no such field in package.json`,
    isKnown: ({ manifest }: OwnersTexts): boolean => isFilled((JSON.parse(manifest) as Record<string, unknown>)[field]),
  })),
  {
    name: 'security: SECURITY.md names no address (https://… or mailto:…) for reports',
    isKnown: ({ security }) => /https:\/\/|mailto:/.test(security),
  },
  {
    name: 'trusted publisher: not ticked in RELEASING.md',
    isKnown: ({ releasing }) => /^- \[x\] \*\*trusted publisher\*\*/im.test(releasing),
  },
]

/** What is not known yet, one line each. */
export function missingFacts(texts: OwnersTexts): string[] {
  return FACTS.filter(({ isKnown }) => !isKnown(texts)).map(({ name }) => name)
}

function isFilled(field: unknown): boolean {
  if (typeof field === 'string') return field.trim() !== ''
  return typeof field === 'object' && field !== null && Object.keys(field).length > 0
}
