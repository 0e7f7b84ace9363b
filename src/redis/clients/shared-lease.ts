/** A borrowed client, until it is returned. */
export interface Lent<C> {
  readonly client: C
  giveBack(): unknown
}

/** Commands for which one loan is used. After that, others may use the client in between. */
const MOST_COMMANDS = 1000

interface Loan<C> {
  readonly lent: Promise<Lent<C>>
  commands: number
  /** Commands that have no reply yet. */
  pending: number
  readonly end: () => void
  readonly hasEnded: Promise<void>
}

/**
 * Sends all commands that are under way at one time through one client of a pool, so that they keep their order. It
 * returns the client when no command is under way. The pool itself would use another client for each command.
 */
export class SharedLease<C> {
  readonly #lend: () => Promise<Lent<C>>
  #loan: Loan<C> | undefined

  constructor(lend: () => Promise<Lent<C>>) {
    this.#lend = lend
  }

  async use<T>(send: (client: C) => Promise<T>): Promise<T> {
    const loan = this.#joinLoan()
    loan.commands++
    loan.pending++
    try {
      return await send((await loan.lent).client)
    } finally {
      if (--loan.pending === 0) this.#end(loan)
    }
  }

  /** The current loan, or a new one, which waits for the end of a loan that has been used enough. */
  #joinLoan(): Loan<C> {
    const current = this.#loan
    if (current !== undefined && current.commands < MOST_COMMANDS) return current
    const lent = current === undefined ? this.#lend() : current.hasEnded.then(this.#lend)
    let end = (): void => {}
    const hasEnded = new Promise<void>((resolve) => (end = resolve))
    return (this.#loan = { lent, commands: 0, pending: 0, end, hasEnded })
  }

  #end(loan: Loan<C>): void {
    if (this.#loan === loan) this.#loan = undefined
    loan.lent.then(({ giveBack }) => giveBack()).then(loan.end, loan.end)
  }
}

/** A client that is lent to a function, as long as the promise that the function returns is pending. */
export function lentBy<C>(run: (use: (client: C) => Promise<void>) => Promise<unknown>): Promise<Lent<C>> {
  return new Promise((resolve, reject) => {
    const use = (client: C): Promise<void> => new Promise((giveBack) => resolve({ client, giveBack: () => giveBack() }))
    run(use).catch(reject)
  })
}
