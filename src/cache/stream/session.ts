import { onAbort, reasonOf } from '../../abort.ts'
import { ProducerLostError, RefillFailedError, StreamLimitError } from '../../errors.ts'
import type { Flight } from '../../flight/flight.ts'
import type { End } from '../../stream/frames.ts'
import { Pulse } from '../../stream/pulse.ts'
import { readable } from '../../redis/entry-keys.ts'
import { nameOf } from '../../stream/resumed.ts'
import type { StreamLog } from '../../stream/stream-log.ts'
import { WholeTape, type Tape } from '../../stream/tape.ts'
import { Window } from '../../stream/window.ts'
import type { BusyClaim, Claim } from '../claim.ts'
import type { CacheCore } from '../core.ts'
import type { ClaimedRefill, Question } from '../read/claims.ts'
import type { RedisTier } from '../shared/tier.ts'
import { makeChunk } from './chunks.ts'
import { Following } from './following.ts'
import { Production } from './production.ts'
import type { Caller } from './options.ts'
import type { Place, Reader } from './reader.ts'
import { Replay } from './replay.ts'

type Chunks = readonly unknown[]

/** What a session needs from the streams of its cache. */
export interface SessionHost {
  readonly core: CacheCore
  claim(question: Question<Chunks>): Promise<Claim<Chunks>>
  /** The session that produces or follows the stream in this process, if one may be joined. */
  joinable(key: string): Session | undefined
  /** The session that produces or follows the run under that token in this process. */
  runOf(token: string): Session | undefined
  noteRun(token: string, session: Session): void
  /** Starts a session without readers: it produces the stream again while its readers have an older one. */
  produceApart(caller: Caller, refill: ClaimedRefill<Chunks>): void
  ended(session: Session): void
}

/**
 * One stream in one process, with all its readers: replayed, produced here, or followed while another process produces it.
 * It asks by a claim, as a refill does, so that only one process produces. While that process lives, its log has the chunks.
 */
export class Session implements Place {
  readonly key: string
  readonly changes: Pulse = new Pulse()
  readonly #host: SessionHost
  readonly #core: CacheCore
  /** The caller that began it. */
  readonly #caller: Caller
  readonly #readers = new Set<Reader>()
  readonly #controller = new AbortController()
  /** The tokens of the runs that it has produced or followed. */
  readonly tokens: Set<string> = new Set()
  /** What the readers read. Absent until it is known. Replaced after a producer was lost. */
  tape: Tape | undefined
  /** What readers get once they have read all of the tape. */
  failure: { readonly reason: unknown } | undefined
  /** Whether this process may continue what another producer published. Not once a change has overtaken it. */
  #mayResume = true
  /** Whether a tag of it was changed: then only its current readers go on. Never reset. */
  #isOutdated = false
  /** The number of the last change that was known when the last claim was sent. */
  #askedSince = 0
  /** The same for when the run that is read now was requested, before any resumption. */
  #since = 0
  /** Whether the producer is lost and no other one is known yet. */
  isLost = false
  #isOver = false
  #production: Production | undefined
  /** The flight of its key in this process. Nobody joins it any more once a change has come. */
  #flight: Flight<unknown> | undefined
  /** The token with which another process refills, if it is known. */
  #holder: string | undefined
  /** Beats for everything that `Following` must consider. */
  readonly #news = new Pulse()

  constructor(host: SessionHost, caller: Caller) {
    this.#host = host
    this.#core = host.core
    this.#caller = caller
    this.key = caller.key
  }

  /** Asks for the stream. */
  start(): void {
    this.#run(async () => this.#decide(await this.#claim()))
    this.#noteFlight()
  }

  /** Produces it at once. */
  startWith(refill: ClaimedRefill<Chunks>): void {
    this.#run(() => this.#produce(refill))
    this.#noteFlight()
  }

  /** Whether a new reader may join: it goes on, and no change has come since. */
  get isJoinable(): boolean {
    const isPresent = this.#flight !== undefined && this.#core.local.flights.underWay(this.key) === this.#flight
    return isPresent && this.isGoingOn
  }

  get isGoingOn(): boolean {
    if (this.#isOver || this.#isOutdated || this.failure !== undefined) return false
    return this.#production?.isJoinable !== false
  }

  /** The tags that its call names, in readable form. */
  get #tags(): string[] {
    return this.#caller.settings.entry.tags.map(readable)
  }

  get hasFlight(): boolean {
    return this.#flight !== undefined
  }

  get isRead(): boolean {
    return this.#readers.size > 0
  }

  /** After changes of tags: if one concerns this stream, later readers get another producer. */
  noteTagChanges(): void {
    const isChanged = this.#core.local.areTagsChanged(this.#since, this.#tags)
    if (isChanged === true || (isChanged === undefined && this.#production === undefined)) this.#isOutdated = true
    void this.#production?.detachIfChanged()
  }

  add(reader: Reader): void {
    this.#readers.add(reader)
    if (this.#readers.size === 1) this.#production?.readersChanged()
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader)
    if (this.isRead) return
    this.#production?.readersChanged()
    this.#news.beat()
  }

  whyLost(why = 'its process is gone, or it does not reach Redis'): ProducerLostError {
    return new ProducerLostError(this.key, why)
  }

  #noteFlight(): void {
    this.#flight = this.#core.local.flights.underWay(this.key)
  }

  #run(work: () => Promise<void>): void {
    const { closing } = this.#core
    const unwatch = onAbort(closing, () => this.#fail(reasonOf(closing)))
    const end = (): void => {
      unwatch()
      this.#isOver = true
      this.#host.ended(this)
    }
    work().then(end, (reason: unknown) => {
      this.#fail(reason)
      end()
    })
  }

  /** Readers get the reason once they have read all of the tape. */
  #fail(reason: unknown): void {
    this.failure ??= { reason }
    this.changes.beat()
    this.#news.beat()
  }

  #claim(): Promise<Claim<Chunks>> {
    const settings = { ...this.#caller.settings.entry, signal: this.#controller.signal }
    const onHolder = (holder: string): void => {
      this.#holder = holder
      this.#news.beat()
    }
    this.#askedSince = this.#core.local.now
    return this.#host.claim({ key: this.key, settings, onHolder })
  }

  async #decide(claim: Claim<Chunks>, former?: Tape): Promise<void> {
    if (claim.state === 'fresh') return this.#replay(claim.value)
    if (claim.stale !== undefined) this.#replay(claim.stale)
    if (claim.state === 'busy') return claim.stale === undefined ? this.#follow(claim, former) : undefined
    const refill = claim.refill as ClaimedRefill<Chunks>
    if (claim.stale !== undefined) return this.#host.produceApart(this.#caller, refill)
    return this.#produce(refill, former)
  }

  #replay(chunks: unknown): void {
    if (!Array.isArray(chunks)) {
      throw new TypeError(`the entry of this key was stored by set or a loader, and is no list of chunks`)
    }
    this.#play(new Replay(chunks))
  }

  #play(tape: Tape): void {
    this.tape = tape
    this.isLost = false
    this.changes.beat()
  }

  // ─── produced here

  async #produce(refill: ClaimedRefill<Chunks>, former?: Tape): Promise<void> {
    const reader = this.#readers.values().next().value
    const caller = reader?.caller ?? this.#caller
    const { tape, log, isOutdated } = await this.#tapeFor(refill, caller, former)
    this.#production = new Production({
      ...{ core: this.#core, caller, refill, tape, log, since: this.#since },
      isRead: () => this.isRead,
      onChange: () => this.changes.beat(),
      onStale: (chunks) => this.#replay(chunks),
      report: (error) => this.#core.redis?.reportOfStream(error),
    })
    if (log !== undefined) this.#noteRun(log.token)
    if (isOutdated) this.#production.detach()
    this.#play(tape)
    if (!this.isRead) this.#production.readersChanged()
    return this.#production.run()
  }

  /** The tape that a producer continues, and the log where it is published. */
  async #tapeFor(
    refill: ClaimedRefill<Chunks>,
    { settings: { onProducerLost } }: Caller,
    former: Tape | undefined,
  ): Promise<{ tape: WholeTape; log: StreamLog | undefined; isOutdated?: boolean }> {
    const begun = await this.#begin(refill, onProducerLost, former)
    const isKnown = former instanceof Window && former.length > 0
    if (begun === undefined && isKnown && onProducerLost === 'resume') {
      const isOutdated = !this.#core.local.isUnchanged(this.#since, this.key, this.#tags)
      return { tape: this.#tapeOf(former.run, former.chunks, former.from), log: undefined, isOutdated }
    }
    this.#since = refill.context.since
    if (begun !== undefined) return begun
    return { tape: this.#tapeOf(this.#core.random.token()), log: undefined }
  }

  #tapeOf(run: string, chunks: WholeTape['chunks'] = [], start = 0): WholeTape {
    return new WholeTape(run, () => this.whyLost('what it has published is gone'), chunks, start)
  }

  /** Begins a run in Redis, or takes one over. `undefined` without Redis. */
  async #begin(
    refill: ClaimedRefill<Chunks>,
    mode: 'restart' | 'resume',
    former: Tape | undefined,
  ): Promise<{ tape: WholeTape; log: StreamLog; isOutdated: boolean } | undefined> {
    const { lease } = refill.context
    const token = lease?.token
    if (lease === undefined || token === undefined) return undefined
    const redis = this.#core.redis as RedisTier
    const log = redis.streamLog(this.key, token)
    try {
      // Readers that have begun a run go on with it, even after a change of its tags.
      const tags = former === undefined ? this.#tags : []
      const begun = await log.begin(this.#mayResume ? mode : 'restart', lease.grantedAt, tags)
      if (begun === undefined) return undefined
      lease.backdate(begun.head.beganAt)
      const tape = this.#tapeOf(nameOf(begun.head, former instanceof Window ? former : undefined))
      while (tape.length < begun.chunks) {
        const { frames } = await log.read(tape.length, undefined)
        if (frames.length === 0) return undefined
        tape.chunks.push(...frames.map(makeChunk))
      }
      const isOutdated = begun.chunks > 0 && ((await redis.areTagsChangedSince(this.#tags, begun.head.beganAt)) ?? true)
      return { tape, log, isOutdated }
    } catch (error) {
      redis.reportOfStream(error)
      return undefined
    }
  }

  // ─── produced elsewhere

  /** Somebody else refills the entry, here or in another process, or all slots are taken. */
  async #follow(busy: BusyClaim<Chunks>, former: Tape | undefined): Promise<void> {
    const here =
      (this.#holder === undefined ? undefined : this.#host.runOf(this.#holder)) ?? this.#host.joinable(this.key)
    if (here !== undefined && here !== this) return this.#moveTo(here)
    this.#since = this.#askedSince
    const following = new Following(busy, former instanceof Window ? former : undefined, {
      ...{ core: this.#core, key: this.key, news: this.#news },
      isRead: () => this.isRead && !this.#core.closing.aborted,
      holder: () => this.#holder,
      areTagsChangedSince: (beganAt) => this.#areTagsChangedSince(beganAt),
      onRun: (token) => this.#noteRun(token),
      onTape: (tape) => {
        if (tape === this.tape && !this.isLost) this.changes.beat()
        else this.#play(tape)
      },
      onLost: () => this.#noteLost(),
      failureOf: (end) => this.#failureOf(end),
      whyLost: (why) => this.whyLost(why),
    })
    const next = await following.run()
    if (next.kind === 'left') return this.#controller.abort(new DOMException('nobody reads the stream', 'AbortError'))
    if (next.kind === 'failed') throw next.reason
    if (next.kind === 'over') return
    return this.#decide(next.kind === 'decided' ? next.claim : await this.#claim(), following.tape)
  }

  async #areTagsChangedSince(beganAt: number): Promise<boolean> {
    const isChanged = (await this.#core.redis?.areTagsChangedSince(this.#tags, beganAt)) ?? false
    if (isChanged) this.#mayResume = false
    return isChanged
  }

  #noteRun(token: string): void {
    this.tokens.add(token)
    this.#host.noteRun(token, this)
  }

  #noteLost(): void {
    this.isLost = true
    this.changes.beat()
  }

  #failureOf({ failure }: End): { readonly reason: unknown } | undefined {
    if (failure === undefined) return undefined
    const { limit } = failure
    return { reason: limit ? new StreamLimitError(this.key, ...limit) : new RefillFailedError(this.key, failure) }
  }

  #moveTo(other: Session): void {
    for (const reader of this.#readers) {
      other.add(reader)
      reader.moveTo(other)
    }
    this.#readers.clear()
  }
}
