/** What every process is told of a change: the channel of the backplane and the message for it. */
export interface Broadcast {
  readonly channel: string
  readonly message: string
}
