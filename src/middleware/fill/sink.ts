import type { FieldBlock } from '../rules/fields.ts'

/** The header that a follower gets. */
export interface FollowedHead {
  readonly status: number
  readonly message: string
  readonly block: FieldBlock
  /** Names of fields that outer layers have set and the handler took away. */
  readonly removed: readonly string[]
  /** Lower-case names of fields that add to what outer layers have set. */
  readonly joins: readonly string[]
}

/**
 * One client of a run, from the head on. None of these functions throws: an error of one client affects no other. An
 * outlet whose client has left takes everything.
 */
export interface Outlet {
  /** False: it is full; `onDrain` follows. */
  write(chunk: Buffer): boolean
  flush(): void
  /** With the last piece, if that came with the end. */
  end(chunk?: Buffer): void
  /** The body is kept no longer: nobody can begin to follow it any more. */
  onPart?(): void
  /** The client must see that its answer is incomplete. */
  cut(): void
}

export interface OutletListener {
  onDrain(): void
  onClose(): void
}
