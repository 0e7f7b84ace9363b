import type { End } from '../../stream/frames.ts'
import type { Pulse } from '../../stream/pulse.ts'
import { Relay } from '../../stream/relay.ts'
import type { Window } from '../../stream/window.ts'
import type { BusyClaim, FreshClaim, LeasedClaim } from '../claim.ts'
import type { CacheCore } from '../core.ts'
import { makeChunk } from './chunks.ts'

type Chunks = readonly unknown[]
type Decided = FreshClaim<Chunks> | LeasedClaim<Chunks>

/** What comes after a stream of another process was followed. */
export type Next =
  /** All has been read. */
  | { readonly kind: 'over' }
  /** Nobody reads any more. */
  | { readonly kind: 'left' }
  /** The producer is lost, and the claim says what is to be done. */
  | { readonly kind: 'decided'; readonly claim: Decided }
  | { readonly kind: 'failed'; readonly reason: unknown }
  /** The producer is lost, and it is to be claimed anew. */
  | { readonly kind: 'anew' }

export interface FollowingParts {
  readonly core: CacheCore
  readonly key: string
  /** Beats when a reader leaves, and when there is another holder. */
  readonly news: Pulse
  isRead(): boolean
  /** The token by which another process refills the entry, as far as is known. */
  holder(): string | undefined
  /** Whether one of the stream's tags was changed since that instant, in µs on Redis's clock. */
  areTagsChangedSince(beganAt: number): Promise<boolean>
  /** The run under that token is followed from now on. */
  onRun(token: string): void
  /** Something has come onto that tape. */
  onTape(tape: Window): void
  /** The producer is lost, and no other one is known yet. */
  onLost(): void
  failureOf(end: End): { readonly reason: unknown } | undefined
  whyLost(why: string): Error
}

/**
 * Follows the stream that another process produces. Two sources tell of it: the log of its run what comes, and the claim, which
 * waits meanwhile, who refills the entry. As long as the log's producer lives, the log alone counts.
 */
export class Following {
  readonly #parts: FollowingParts
  #relay: Relay | undefined
  /** What has been followed last. */
  tape: Window | undefined
  /** What has become of the claim's wait. */
  #answer: Extract<Next, { kind: 'decided' | 'failed' }> | undefined
  /**
   * Whether a change of the entry has detached the run from it: it goes on for those who read it, and the claim is of no use
   * to them. Never goes back.
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
      const more = news.next() // also what comes while this is considered
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

  /** What is to be done, if it is known by now. */
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

  /** Whether the log is to be asked what there is to be done. */
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
        // Those who have read of it go on; who comes later waits for the next.
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

/** A refill that nobody makes use of is given up. */
function dismiss(answer: Next | undefined): void {
  if (answer?.kind === 'decided' && answer.claim.state === 'leased') void answer.claim.refill.abandon()
}
