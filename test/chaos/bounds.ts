/** ms, all of them. */
export interface Bounds {
  /** Within which a call is answered, but for the time that its process did not run. */
  readonly longestCall: number
  /** Within which a reader of a stream gets its next chunk or the end, but for the time that its process did not run. */
  readonly longestWait: number
  /** Within which every process knows of a change, whatever happens. */
  readonly grace: number
  /** From the end of a fault until whoever it hit shares loads again. */
  readonly recovery: number
  /** How long a loader runs at most. */
  readonly longestLoad: number
}
