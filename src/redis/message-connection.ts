import type { Clock, Timer } from '../clock.ts'
import { SubscriberError } from '../errors.ts'
import { clientError } from './client-error.ts'
import { TRACKING_CHANNEL, type ClientPort, type MessageKind, type MessageLink } from './client-port.ts'
import type { Connection } from './connection.ts'

/** Listens to some channels of a connection that others use too. */
export interface Member {
  readonly channels: ReadonlySet<string>
  /** Messages on its channels, which are these, arrive from now on. */
  onReady(channels: readonly string[]): void
  /** Messages on these channels, which were added later, arrive from now on. */
  onAdded(channels: readonly string[]): void
  /** From now on none arrive, although they did before. */
  onLost(): void
  onMessage(channel: Buffer, message: Buffer): void
  /** Although Redis answers, the connection cannot be opened, does not last, or its channels are refused. */
  onFailure(error: SubscriberError): void
  /** The client has ended, and the connection with it. */
  onEnd(): void
}

/**
 * `out`: there is no connection. `asking`: its channels are being subscribed. `in`: it receives messages. `refused`:
 * Redis refuses it, but not others.
 */
type Phase = 'out' | 'asking' | 'in' | 'refused'

interface Membership {
  phase: Phase
  /** Refusals in a row. */
  refusals: number
  /** Ends the pause after one. */
  timer: Timer | undefined
}

/** ms from a failure to the next attempt, doubled each time. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 5000
/** ms that an attempt may take, doubled each time, because a frozen server accepts connections and never answers. */
const FIRST_PATIENCE = 2000
const LONGEST_PATIENCE = 20_000
/** ms after which a connection counts as stable. */
const LASTING = 5000

const connections = new WeakMap<ClientPort, Map<string, MessageConnection>>()

/**
 * The one connection for messages of a client, shared by all caches and lockers that use the client. It is open while any
 * of them needs it. When it is lost, it is opened again, until the user's client ends. Each time it is a duplicate of
 * that client, which may have other credentials by then.
 */
export class MessageConnection {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #kind: MessageKind
  readonly #members = new Map<Member, Membership>()
  /** Channel → its members. Cleared whenever members come or go. */
  readonly #told = new Map<string, readonly Member[]>()
  /** Channels that were requested on the current connection, and the answer of Redis. */
  readonly #asked = new Map<string, Promise<unknown>>()
  /** The connection, or the attempt at one. */
  #link: MessageLink | undefined
  /** Whether channels can be asked for. */
  #isUp = false
  /** Whether any member receives messages, or has on the current connection. */
  #hasServed = false
  /** Members whose channels are being requested, and members that were refused since there were last none. */
  #asking = 0
  readonly #refused = new Map<Member, unknown>()
  /** Ends the attempt, or starts the next one. */
  #timer: Timer | undefined
  #attempts = 0
  /** In a row. */
  #failures = 0
  #servesSince = -Infinity
  #stopWatching: (() => void) | undefined
  /** Whether an attempt has failed, or a connection did not last, and none has lasted since. */
  isFailing = false
  /** The local time when something was last received, or requested in order to receive it. */
  #quietSince = -Infinity
  /** Whether a member's message to itself has not arrived yet, and no other message since. */
  #awaitsHeartbeat = false

  private constructor(connection: Connection, clock: Clock, kind: MessageKind) {
    this.#connection = connection.to(connection.client)
    this.#clock = clock
    this.#kind = kind
  }

  /** Caches with tracking share a connection only with those of the same prefix: tracking must be requested first. */
  static of(connection: Connection, clock: Clock, kind: MessageKind): MessageConnection {
    const ofClient = connections.get(connection.client) ?? new Map<string, MessageConnection>()
    connections.set(connection.client, ofClient)
    const name = JSON.stringify([kind.shard?.node, kind.shard?.tag, kind.tracking?.prefix])
    const known = ofClient.get(name) ?? new MessageConnection(connection, clock, kind)
    ofClient.set(name, known)
    return known
  }

  /** Connects if necessary. The client must not have ended. */
  join(member: Member): void {
    const membership: Membership = { phase: 'out', refusals: 0, timer: undefined }
    this.#members.set(member, membership)
    this.#told.clear()
    if (this.#stopWatching === undefined) this.#open()
    else if (this.#isUp) this.#ask(member, membership)
    else this.#hurry()
  }

  leave(member: Member): void {
    this.#members.get(member)?.timer?.cancel()
    if (!this.#members.delete(member)) return
    this.#told.clear()
    this.#refused.delete(member)
    if (this.#members.size === 0) return this.#close()
    this.#leaveUnwanted([...member.channels])
  }

  /** A member has listed more channels. Until the next connection they are asked for apart from its others. */
  added(member: Member, channels: readonly string[]): void {
    for (const channel of channels) this.#told.delete(channel)
    const link = this.#link
    if (!this.#isUp || link === undefined || !this.#members.has(member)) return
    const unasked = channels.filter((channel) => !this.#asked.has(channel))
    const answers = this.#askFor(channels, link)
    Promise.all(answers).then(
      () => {
        if (link !== this.#link || !this.#members.has(member)) return
        // One that was left meanwhile may have been asked for again, and that answer has not come yet.
        const heard = channels.filter((channel, i) => this.#asked.get(channel) === answers[i])
        if (heard.length > 0) member.onAdded(heard)
      },
      (error: unknown) => {
        if (link !== this.#link) return
        for (const channel of unasked) this.#asked.delete(channel)
        member.onFailure(this.#failure(error))
      },
    )
  }

  /** A member no longer lists these channels. */
  removed(channels: readonly string[]): void {
    for (const channel of channels) this.#told.delete(channel)
    this.#leaveUnwanted(channels)
  }

  #leaveUnwanted(channels: readonly string[]): void {
    const left = channels.filter((channel) => this.#asked.has(channel) && !this.#isWanted(channel))
    for (const channel of left) this.#asked.delete(channel)
    if (left.length > 0) this.#link?.unsubscribe(left)
  }

  hears(member: Member): boolean {
    return this.#members.get(member)?.phase === 'in'
  }

  isRefused(member: Member): boolean {
    return this.#members.get(member)?.phase === 'refused'
  }

  /** Replaces the current connection. */
  reopen(why: string): void {
    this.#end(new Error(why))
  }

  get quietSince(): number {
    return this.#quietSince
  }

  /** Any message shows that the connection works. */
  noteLife(): void {
    this.#quietSince = this.#clock.now()
    this.#awaitsHeartbeat = false
  }

  /**
   * Has a member send a message to itself. If the last one has not arrived, nor any other message since, the connection is
   * replaced. Rejects if the message cannot be sent, perhaps because the right is missing: that shows nothing.
   */
  async beat(send: () => Promise<unknown>): Promise<void> {
    this.#quietSince = this.#clock.now()
    if (this.#awaitsHeartbeat) return this.reopen('a message to ourselves did not arrive')
    this.#awaitsHeartbeat = true
    try {
      await send()
    } catch (error) {
      this.#awaitsHeartbeat = false
      throw error
    }
  }

  #open(): void {
    this.#stopWatching = this.#connection.watch({ onReady: () => this.#hurry(), onEnd: () => this.#noteClientEnd() })
    this.#attempt()
  }

  #close(): void {
    this.#stopWatching?.()
    this.#stopWatching = undefined
    this.#timer?.cancel()
    this.#failures = 0
    this.isFailing = false
    this.#drop()
  }

  #noteClientEnd(): void {
    const members = [...this.#members]
    for (const [, { timer }] of members) timer?.cancel()
    this.#members.clear()
    this.#told.clear()
    this.#close()
    tellAll(members, ([member, { phase }]) => {
      member.onEnd()
      if (phase === 'in') member.onLost()
    })
  }

  #attempt(): void {
    const { client } = this.#connection
    // A Cluster knows its nodes once it is connected, which `watch` reports.
    if (client.isCluster && client.status !== 'ready' && client.status !== 'unknown') return
    this.#limitPatience()
    try {
      const link = client.openMessages(this.#attempts++, this.#kind, {
        onReady: () => link === this.#link && this.#noteUp(),
        onMessage: (channel, message) => link === this.#link && this.#receive(channel, message),
        onEnd: (error) => link === this.#link && this.#end(error),
      })
      this.#link = link
    } catch (error) {
      this.#end(error)
    }
  }

  #limitPatience(): void {
    const patience = doubled(FIRST_PATIENCE, this.#failures, LONGEST_PATIENCE)
    this.#setTimer(patience, () => this.reopen(`it was not ready within ${patience} ms`))
  }

  #noteUp(): void {
    this.#isUp = true
    this.noteLife()
    for (const [member, membership] of [...this.#members]) this.#ask(member, membership)
  }

  #ask(member: Member, membership: Membership): void {
    const link = this.#link as MessageLink
    const channels = [...member.channels]
    const answers = this.#askFor(channels, link)
    membership.phase = 'asking'
    if (this.#asking++ === 0) this.#limitPatience()
    const isPresent = (): boolean => link === this.#link
    Promise.all(answers).then(
      () => isPresent() && this.#noteAnswer(member, membership, channels, undefined),
      (error: unknown) => isPresent() && this.#noteAnswer(member, membership, channels, { error }),
    )
  }

  /** Asks for those that were not asked for yet. Returns the answers for all. */
  #askFor(channels: readonly string[], link: MessageLink): Promise<unknown>[] {
    const added = channels.filter((channel) => !this.#asked.has(channel))
    if (added.length > 0) {
      const answer = link.subscribe(added)
      for (const channel of added) this.#asked.set(channel, answer)
    }
    return channels.map((channel) => this.#asked.get(channel) as Promise<unknown>)
  }

  /** The answer of Redis for the channels of a member. A member that is refused alone does not affect the others. */
  #noteAnswer(
    member: Member,
    membership: Membership,
    channels: readonly string[],
    refusal: { readonly error: unknown } | undefined,
  ): void {
    const isMember = this.#members.get(member) === membership
    if (refusal !== undefined) {
      if (isMember) this.#refused.set(member, refusal.error)
      for (const channel of channels) if (!this.#isHeard(channel)) this.#asked.delete(channel)
    } else if (isMember) {
      this.#noteHears(membership)
    }
    if (--this.#asking === 0) this.#concludeRound()
    if (isMember && refusal === undefined) member.onReady(channels)
  }

  #noteHears(membership: Membership): void {
    if (!this.#hasServed) this.#servesSince = this.#clock.now()
    this.#hasServed = true
    this.isFailing = false
    membership.phase = 'in'
    membership.refusals = 0
  }

  /** All have their answers. */
  #concludeRound(): void {
    this.#timer?.cancel()
    const refused = [...this.#refused]
    this.#refused.clear()
    const [first] = refused
    // If all are refused, other credentials may help.
    if (first !== undefined && ![...this.#members.values()].some(({ phase }) => phase === 'in'))
      return this.#end(first[1])
    for (const [member, error] of refused) this.#pause(member, error)
  }

  #pause(member: Member, error: unknown): void {
    const membership = this.#members.get(member)
    if (membership === undefined) return
    membership.phase = 'refused'
    const ms = doubled(FIRST_PAUSE, ++membership.refusals, LONGEST_PAUSE)
    const ask = (): void => void (membership.phase === 'refused' && this.#ask(member, membership))
    membership.timer = this.#clock.setTimeout(ask, ms, { keepAlive: false })
    void this.#report([member], error)
  }

  #isWanted(channel: string): boolean {
    for (const { channels } of this.#members.keys()) if (channels.has(channel)) return true
    return false
  }

  #isHeard(channel: string): boolean {
    for (const [{ channels }, { phase }] of this.#members) if (phase === 'in' && channels.has(channel)) return true
    return false
  }

  #receive(channel: Buffer, message: Buffer): void {
    this.noteLife()
    const name = channel.toString()
    let told = this.#told.get(name)
    if (told === undefined) {
      const isOfAll = name === TRACKING_CHANNEL
      told = [...this.#members.keys()].filter(({ channels }) => isOfAll || channels.has(name))
      this.#told.set(name, told)
    }
    tellAll(told, (member) => member.onMessage(channel, message))
  }

  #end(error: unknown): void {
    const hasServed = this.#hasServed
    const hasLasted = hasServed && this.#clock.now() - this.#servesSince >= LASTING
    const lost = [...this.#members].filter(([, { phase }]) => phase === 'in')
    this.#drop()
    this.#failures = hasLasted ? 0 : this.#failures + 1
    // A connection that is lost for the first time is replaced without a report.
    this.isFailing = this.#failures > (hasServed ? 1 : 0)
    this.#setTimer(doubled(FIRST_PAUSE, this.#failures, LONGEST_PAUSE), () => this.#attempt())
    tellAll(lost, ([member]) => member.onLost())
    if (this.isFailing) void this.#report([...this.#members.keys()], error)
  }

  /** The link is gone; nobody receives messages. */
  #drop(): void {
    this.#link?.close()
    this.#link = undefined
    this.#isUp = false
    this.#hasServed = false
    this.#asking = 0
    this.#asked.clear()
    this.#refused.clear()
    this.#awaitsHeartbeat = false
    for (const membership of this.#members.values()) {
      membership.timer?.cancel()
      membership.phase = 'out'
    }
  }

  /** If Redis does not answer at all, operations report it. */
  async #report(members: readonly Member[], error: unknown): Promise<void> {
    if (!(await this.#connection.answers())) return
    const failing = members.filter((member) => this.#members.has(member) && !this.hears(member))
    tellAll(failing, (member) => member.onFailure(this.#failure(error)))
  }

  #failure(error: unknown): SubscriberError {
    const { label } = this.#connection
    return new SubscriberError(label, clientError(error, label))
  }

  /** The cause that kept the client from connecting may have affected this connection too. */
  #hurry(): void {
    if (this.#link === undefined && this.#stopWatching !== undefined) this.#setTimer(0, () => this.#attempt())
  }

  /** Only the user's client keeps a process alive. */
  #setTimer(ms: number, callback: () => void): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimeout(callback, ms, { keepAlive: false })
  }
}

/** If one throws, the others are still called. */
function tellAll<T>(all: readonly T[], tell: (each: T) => void): void {
  const errors: unknown[] = []
  for (const each of all) {
    try {
      tell(each)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

function doubled(first: number, times: number, longest: number): number {
  return Math.min(first * 2 ** times, longest)
}
