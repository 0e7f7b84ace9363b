import type { Publication } from '../../cache/stream/publication.ts'
import type { PartialSharing } from '../../cache/stream/partial-sharing.ts'
import type { Timer } from '../../clock.ts'
import type { FillSurroundings } from '../fill/fill-parts.ts'
import type { Fill } from '../fill/fill.ts'
import { storedCodec } from '../stored/stored-codec.ts'

/** ms after which an unfinished answer is published. Most are finished by then, and waiting requests get them whole. */
const WHOLE_WITHIN = 20
/** ms for which the end of a run waits until all of it is published. A follower without the rest is then cut off. */
const PATIENCE = 1000

interface PublishingHost {
  readonly partial: PartialSharing
  readonly surroundings: FillSurroundings
  readonly rules: { readonly maxFillBytes: number }
}

/** Sends other processes the answer of one run as it comes: its head, and then the body piece by piece. */
export class Publishing {
  readonly #host: PublishingHost
  readonly #context: unknown
  #timer: Timer | undefined
  #isOver = false
  #publication: Publication | undefined

  /** `context`: of the load that the run belongs to. */
  constructor(context: unknown, host: PublishingHost) {
    this.#context = context
    this.#host = host
  }

  /** The head is there, and for others. */
  begin(fill: Fill): void {
    const publish = (): void => void this.#publish(fill)
    this.#timer = this.#host.surroundings.clock.setTimeout(publish, WHOLE_WITHIN, { keepAlive: false })
  }

  /** Whether the lease of the load is needed for what is published. */
  get isUnderWay(): boolean {
    return this.#publication !== undefined
  }

  /** From now on no publication begins. */
  end(): void {
    this.#isOver = true
    this.#timer?.cancel()
  }

  /** Resolves when the lease is no longer needed. */
  async released(): Promise<void> {
    const { clock } = this.#host.surroundings
    let timer: Timer | undefined
    const patience = new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, PATIENCE)))
    await Promise.race([this.#publication?.released, patience])
    timer?.cancel()
  }

  async #publish(fill: Fill): Promise<void> {
    const { partial, rules } = this.#host
    const publication = await partial.publish(this.#context, rules.maxFillBytes)
    if (publication === undefined) return
    const head = this.#isOver ? undefined : fill.describeHead()
    if (head === undefined) return publication.discard()
    this.#publication = publication
    fill.admitOutlet((listener) => publication.open(storedCodec.encode(head), listener))
  }
}
