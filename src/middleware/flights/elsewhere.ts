import type { HeldElsewhere, PartialSharing } from '../../cache/stream/partial-sharing.ts'
import type { Timer } from '../../clock.ts'
import type { FillSurroundings } from '../fill/fill-parts.ts'
import { RemoteFill } from '../fill/remote-fill.ts'

/** ms after which waiting requests look whether the other process publishes its answer. Most are complete by then. */
const LOOK_AFTER = 20

interface ElsewhereHost {
  readonly partial: PartialSharing
  readonly surroundings: FillSurroundings
  readonly rules: { readonly maxStreamDuration: number }
}

/** The response of one key that another process makes, while requests wait for it here. */
export class Elsewhere {
  /** The other process's run. It can be followed once it has a head. */
  fill: RemoteFill | undefined
  readonly #key: string
  readonly #host: ElsewhereHost
  readonly #onHead: (fill: RemoteFill) => void
  #held: HeldElsewhere | undefined
  #timer: Timer | undefined
  #stopWatching: () => void = () => {}
  #isOver = false

  constructor(key: string, host: ElsewhereHost, onHead: (fill: RemoteFill) => void) {
    this.#key = key
    this.#host = host
    this.#onHead = onHead
  }

  begin(): void {
    this.#stopWatching = this.#host.partial.whenHeldElsewhere(this.#key, (held) => this.#note(held))
  }

  /** The response is there, or will not come. Requests that follow go on. */
  end(): void {
    this.#isOver = true
    this.#timer?.cancel()
    this.#stopWatching()
    this.fill?.stopIfUnread()
  }

  /** A request waits again, after all earlier ones had left. */
  lookAgain(): void {
    if (this.fill === undefined && this.#held !== undefined) this.#lookLater()
  }

  #note(held: HeldElsewhere): void {
    const isKnown = held.token === this.#held?.token
    this.#held = held
    if (this.fill?.isShared === true) held.waitFor(this.#host.rules.maxStreamDuration)
    if (isKnown) return
    this.fill?.stopIfUnread()
    this.#lookLater()
  }

  #lookLater(): void {
    this.#timer?.cancel()
    const { clock } = this.#host.surroundings
    this.#timer = clock.setTimeout(() => this.#look(), LOOK_AFTER, { keepAlive: false })
  }

  #look(): void {
    const { partial, surroundings, rules } = this.#host
    const held = this.#held
    if (held === undefined || this.#isOver) return
    this.fill = new RemoteFill(partial.follow(this.#key, held.token), surroundings, {
      onHead: (fill) => {
        held.waitFor(rules.maxStreamDuration)
        this.#onHead(fill)
      },
      onOver: (fill) => {
        if (this.fill === fill) this.fill = undefined
      },
    })
  }
}
