import type { End } from '../../stream/frames.ts'
import type { Pulse } from '../../stream/pulse.ts'
import { Relay } from '../../stream/relay.ts'
import type { Window } from '../../stream/window.ts'
import type { BusyClaim, FreshClaim, LeasedClaim } from '../claim.ts'
import type { CacheCore } from '../core.ts'
import { makeChunk } from './chunks.ts'

type Chunks = readonly unknown[]
type Decided = FreshClaim<Chunks> | LeasedClaim<Chunks>

/** What comes after following the stream of another process. */
export type Next =
  /** All has been read. */
  | { readonly kind: 'over' }
  /** Nobody reads any more. */
  | { readonly kind: 'left' }
  /** The producer is lost, and the claim says what to do. */
  | { readonly kind: 'decided'; readonly claim: Decided }
  | { readonly kind: 'failed'; readonly reason: unknown }
  /** The producer is lost, and the entry must be claimed again. */
  | { readonly kind: 'anew' }

export interface FollowingParts {
  readonly core: CacheCore
  readonly key: string
  /** Beats when a reader leaves, and when there is another holder. */
  readonly news: Pulse
  isRead(): boolean
  /** The token with which another process refills the entry, if it is known. */
  holder(): string | undefined
  /** Whether one of the stream's tags has changed since that time, in µs on Redis's clock. */
  areTagsChangedSince(beganAt: number): Promise<boolean>
  /** From now on, the run under that token is followed. */
  onRun(token: string): void
  /** Something has come onto that tape. */
  onTape(tape: Window): void
  /** The producer is lost, and no other one is known yet. */
  onLost(): void
  failureOf(end: End): { readonly reason: unknown } | undefined
  whyLost(why: string): Error
}

/**
 * Follows the stream that another process produces. It has two sources. The log of the run has the chunks. The claim, which
 * waits meanwhile, says who refills the entry. As long as the log's producer lives, only the log counts.
 */
export class Following {
  readonly #parts: FollowingParts
  #relay: Relay | undefined
  /** The tape that was followed last. */
  tape: Window | undefined
  /** How the claim's wait ended. */
  #answer: Extract<Next, { kind: 'decided' | 'failed' }> | undefined
  /**
   * Whether a change of the entry has detached the run from it. The run then goes on for its readers, and the claim is of no
   * use to them. Never reset.
   */
  #isDetached = false
  #isOver = false

  constructor(busy: BusyClaim<Chunks>, former: Window | undefined, parts: FollowingParts) {
    this.#parts = parts
    this.tape = former
    busy.wait().then(
      (claim) => this.#noteAnswer({ kind: 'decided', claim }),
      (reason: unknown) => this.#noteAnswer({ kind: 'failed', reason }),
    )
  }

  async run(): Promise<Next> {
    const { isRead, news } = this.#parts
    let next: Next | undefined
    for (;;) {
      const more = news.next() // also catches news that comes during `#consider`
      next = isRead() ? await this.#consider() : this.#leave()
      if (next !== undefined) break
      await more
    }
    this.#isOver = true
    this.#relay?.stop()
    if (this.#answer !== next) dismiss(this.#answer)
    return next
  }

  #leave(): Next {
    return { kind: this.#relay?.state === 'ended' ? 'over' : 'left' }
  }

  /** What to do next, if it is known by now. */
  async #consider(): Promise<Next | undefined> {
    if (!this.#hasNews) return undefined
    const relay = this.#relay
    await relay?.check()
    if (relay?.state === 'ended') return undefined // until all have read it
    if (relay?.state === 'live' && !relay.isPresent) return this.#detach()
    if (this.#isDetached) return { kind: 'anew' }
    if (this.#answer !== undefined) return this.#answer
    const holder = this.#parts.holder()
    if (holder !== undefined && holder !== relay?.log.token) this.#relayTo(holder)
    else if (relay !== undefined) this.#parts.onLost()
    return undefined
  }

  /** Whether the log must be asked how it stands. */
  get #hasNews(): boolean {
    const state = this.#relay?.state
    if (state === 'ended') return false
    if (state === undefined || state === 'lost') return true
    return !this.#isDetached && (this.#answer !== undefined || this.#parts.holder() !== this.#relay?.log.token)
  }

  #detach(): undefined {
    this.#isDetached = true
    dismiss(this.#answer)
    this.#answer = undefined
  }

  #relayTo(holder: string): void {
    const { core, news, isRead, areTagsChangedSince, onTape, failureOf, whyLost } = this.#parts
    this.#relay?.stop()
    if (core.redis === undefined) return
    this.#parts.onRun(holder)
    const relay: Relay = new Relay(
      core.redis.streamLog(this.#parts.key, holder),
      {
        ...{ clock: core.clock, random: core.random, makeChunk, isRead, failureOf, whyLost },
        // Readers that have begun go on; later ones wait for the next run.
        isOutdated: async ({ beganAt }, isPresent) =>
          this.tape === undefined && (!isPresent || (await areTagsChangedSince(beganAt))),
        report: (error) => core.redis?.reportOfStream(error),
        onChange: () => {
          if (relay !== this.#relay) return
          if (relay.tape !== undefined) {
            this.tape = relay.tape
            onTape(relay.tape)
          }
          if (relay.state === 'lost') news.beat()
        },
      },
      this.tape,
    )
    this.#relay = relay
  }

  #noteAnswer(answer: Extract<Next, { kind: 'decided' | 'failed' }>): void {
    if (this.#isOver || this.#isDetached) return dismiss(answer)
    this.#answer = answer
    this.#parts.news.beat()
  }
}

/** Gives up a refill that nobody uses. */
function dismiss(answer: Next | undefined): void {
  if (answer?.kind === 'decided' && answer.claim.state === 'leased') void answer.claim.refill.abandon()
}
