import type { Clock } from '../../clock.ts'
import { cacheStatusForward } from '../rules/cache-status.ts'
import type { Exchange } from './exchange.ts'
import { FieldMap } from '../rules/fields.ts'
import { Recording, type RecordingObserver, type ResponseHead } from '../node/recording.ts'
import { judge } from '../rules/storable.ts'
import type { UnsharedMarks } from './unshared-marks.ts'

/** A request that runs its own handler for nobody else. Only the header is looked at: is this still not for others? */
export class Alone implements RecordingObserver {
  readonly #exchange: Exchange
  readonly #detail: string
  readonly #clock: Clock
  readonly #marks: UnsharedMarks
  readonly #recording: Recording

  constructor(exchange: Exchange, detail: string, clock: Clock, marks: UnsharedMarks) {
    this.#exchange = exchange
    this.#detail = detail
    this.#clock = clock
    this.#marks = marks
    this.#recording = new Recording(exchange.res, this)
  }

  run(): void {
    this.#exchange.run(this.#exchange.res, (_error, goOn) => goOn())
  }

  onHead(head: ResponseHead): 'send' {
    const fields = new FieldMap(head.fields)
    const { asked, key, policy, res, reason } = this.#exchange
    const verdict = judge(asked, { status: head.status, fields, at: this.#clock.wallNow() }, policy)
    if (verdict.share) this.#marks.remove(key)
    else if (verdict.lasting) this.#marks.add(key)
    const forwarded = { reason, status: head.status, detail: verdict.share ? this.#detail : verdict.reason }
    res.setHeader('Cache-Status', cacheStatusForward(forwarded, fields.get('cache-status')))
    this.#recording.stop()
    return 'send'
  }

  onChunk(): boolean {
    return true
  }

  onEnd(): void {}

  onCut(): void {
    this.#recording.stop()
  }
}
