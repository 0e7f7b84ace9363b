import type { RequestFields } from '../rules/fields.ts'
import { selectingKey } from '../rules/vary.ts'

/**
 * Is stored at a resource's key if its responses vary, and says which request fields select a variant. The keys of the
 * variants contain the generation. So none of them can be found once the index is removed.
 */
export class VaryIndex {
  /** Random, for this index alone. */
  readonly generation: string
  /** Lower-case names, sorted. Only ever grows: a longer list tells more requests apart than needed, never fewer. */
  readonly fields: readonly string[]
  /** Keys of the variants that this process has stored, oldest first. Written by `remember` only. */
  readonly #variants = new Set<string>()

  constructor(generation: string, fields: readonly string[]) {
    this.generation = generation
    this.fields = fields
  }

  /** The key of the variant that a request selects. */
  variantKey(resourceKey: string, headers: RequestFields): string {
    return `${resourceKey}|${this.generation}|${selectingKey(headers, this.fields)}`
  }

  /** Notes a stored variant. Returns the key that must go for it, if there are more than `most`. */
  remember(key: string, most: number): string | undefined {
    this.#variants.delete(key)
    this.#variants.add(key)
    if (this.#variants.size <= most) return undefined
    const [oldest] = this.#variants
    if (oldest !== undefined) this.#variants.delete(oldest)
    return oldest
  }

  describe(): { generation: string; fields: readonly string[] } {
    return { generation: this.generation, fields: this.fields }
  }
}
