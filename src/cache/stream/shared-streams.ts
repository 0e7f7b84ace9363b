import type { CacheCore } from '../core.ts'
import type { Claims, ClaimedRefill, Question } from '../read/claims.ts'
import type { Claim } from '../claim.ts'
import { type Caller, type Producer, type StreamOptions, streamSettingsOf } from './options.ts'
import { Reader } from './reader.ts'
import { Session, type SessionHost } from './session.ts'
import { RepeatableStream, type SharedStream } from './shared-stream.ts'

type Chunks = readonly unknown[]

/** The streams of one cache: for each key, the session that new readers join. */
export class SharedStreams implements SessionHost {
  readonly core: CacheCore
  readonly #claims: Claims
  readonly #joinable = new Map<string, Session>()
  /** Token of a run → the session that produces or follows it. */
  readonly #byToken = new Map<string, Session>()
  /** Sessions without readers of their own: callers that may have a stale value do not wait for them. */
  readonly #apart = new WeakSet<Session>()

  constructor(core: CacheCore, claims: Claims) {
    this.core = core
    this.#claims = claims
    core.local.whenTagsChange(() => {
      for (const session of new Set(this.#byToken.values())) session.noteTagChanges()
    })
  }

  /** Throws for invalid options. */
  stream<C>(key: string, producer: Producer<C>, options: StreamOptions = {}): SharedStream<C> {
    const settings = streamSettingsOf(producer, options, this.core.options)
    const caller = { key, producer, settings, signal: options.signal }
    const read = (): Reader => new Reader(caller, (reader) => this.#open(reader))
    return new RepeatableStream(read as () => AsyncIterableIterator<C>)
  }

  #open(reader: Reader): Session {
    const { caller } = reader
    this.core.closing.throwIfAborted()
    const known = caller.settings.entry.forceFresh ? undefined : this.joinable(caller.key)
    if (known !== undefined && !this.#apart.has(known)) {
      this.core.events.coalesced(caller.key)
      known.add(reader)
      return known
    }
    const session = new Session(this, caller)
    session.add(reader)
    session.start()
    if (session.hasFlight && known === undefined) this.#joinable.set(caller.key, session)
    return session
  }

  runOf(token: string): Session | undefined {
    const session = this.#byToken.get(token)
    return session?.isGoingOn === true ? session : undefined
  }

  noteRun(token: string, session: Session): void {
    this.#byToken.set(token, session)
  }

  joinable(key: string): Session | undefined {
    const session = this.#joinable.get(key)
    return session?.isJoinable === true ? session : undefined
  }

  claim(question: Question<Chunks>): Promise<Claim<Chunks>> {
    return this.#claims.claim(question)
  }

  produceApart(caller: Caller, refill: ClaimedRefill<Chunks>): void {
    const { settings } = caller
    const session = new Session(this, { ...caller, settings: { ...settings, keep: true } })
    this.#apart.add(session)
    session.startWith(refill)
    if (session.hasFlight) this.#joinable.set(caller.key, session)
  }

  ended(session: Session): void {
    for (const token of session.tokens) if (this.#byToken.get(token) === session) this.#byToken.delete(token)
    if (this.#joinable.get(session.key) === session) this.#joinable.delete(session.key)
  }
}
