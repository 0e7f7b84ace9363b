import { writeFile } from 'node:fs/promises'
import type { TuneRequest } from '../arguments.ts'
import { systemClock } from '../../clock.ts'
import { UsageError } from '../usage-error.ts'
import { advisedTtl, type Cell, replayAll } from './grid.ts'
import { plot } from './plot.ts'
import { type Log, readLog } from './read-log.ts'

/** The findings about a log. */
export interface Tuning {
  readonly log: Log
  readonly cells: readonly Cell[]
  /** ms */
  readonly advised: number | undefined
}

/** Replays the log that the request names. Calls `tell` with the progress, for a waiting person. */
export async function tune(request: TuneRequest, tell: (text: string) => void): Promise<Tuning> {
  const note = sometimes(tell)
  const log = await read(request, note)
  const { recording } = log
  if (recording.length === 0) {
    const shown = log.badLines[0]?.text.slice(0, 80)
    throw new UsageError(`${request.file} has no request that could be read${shown ? `; it begins with ${shown}` : ''}`)
  }
  const cells = replayAll(recording, request, (done, of) => note(`replay ${done + 1} of ${of}`))
  if (request.plot !== undefined) await write(request.plot, plot(recording, cells))
  return { log, cells, advised: advisedTtl(cells, recording.length) }
}

async function read({ file, columns, load }: TuneRequest, note: (text: string) => void): Promise<Log> {
  try {
    return await readLog(file, { columns, load }, (lines) => note(`${lines} lines read`))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new UsageError(`${file} cannot be read: ${message}`)
  }
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((error: Error) => {
    throw new UsageError(`--plot ${file} cannot be written: ${error.message}`)
  })
}

/** ms between two notes on progress. */
const NOTE_EVERY = 1000

function sometimes(tell: (text: string) => void): (text: string) => void {
  let toldAt = systemClock.now()
  return (text) => {
    if (systemClock.now() - toldAt < NOTE_EVERY) return
    toldAt = systemClock.now()
    tell(text)
  }
}
