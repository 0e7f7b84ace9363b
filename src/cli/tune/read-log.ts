import type { EventEmitter } from 'node:events'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type Columns, parseLine } from './line.ts'
import { Recorder, type Recording } from './recording.ts'

/** The contents of a log. */
export interface Log {
  readonly recording: Recording
  readonly lines: number
  /** Lines that are not requests for the cache, such as a POST. */
  readonly others: number
  readonly bad: number
  /** The first few lines that could not be read. */
  readonly badLines: readonly { readonly number: number; readonly text: string }[]
}

const SHOWN = 3
/** How many lines are read between two notes on progress. */
const NOTE_EVERY = 10_000

/**
 * Reads a file, gzipped if its name ends in `.gz`, or standard input if it is `-`. A line that cannot be read is counted,
 * and reading goes on. Calls `note` from time to time with the number of lines read. Rejects if the file cannot be read.
 */
export async function readLog(
  file: string,
  { columns, load }: { columns: Columns; load: number },
  note: (lines: number) => void,
): Promise<Log> {
  const recorder = new Recorder()
  const badLines: { number: number; text: string }[] = []
  let [lines, others, bad] = [0, 0, 0]
  const bytes: Readable = file === '-' ? process.stdin : createReadStream(file)
  const input: Readable = file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes
  const reading: EventEmitter = createInterface({ input, crlfDelay: Infinity })
  const failed = new Promise<never>((_resolve, reject) => {
    for (const each of [bytes, input, reading]) each.on('error', reject)
  })
  const ended = new Promise<void>((resolve) => reading.once('close', resolve))
  reading.on('line', (text: string) => {
    if (text.trim() === '') return
    lines++
    const line = parseLine(text, columns)
    if (line === 'other') others++
    else if (line === 'bad') {
      bad++
      if (badLines.length < SHOWN) badLines.push({ number: lines, text })
    } else if ('asked' in line) recorder.add(line.asked)
    else {
      others++
      recorder.noteLoad(line.loaded)
    }
    if (lines % NOTE_EVERY === 0) note(lines)
  })
  await Promise.race([ended, failed])
  return { recording: recorder.finish(load), lines, others, bad, badLines }
}
