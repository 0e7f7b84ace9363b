import type { Bounds } from './bounds.ts'
import { explainsFailure } from './failures.ts'
import type { Load, Piece, Reading } from './history.ts'
import type { Known } from './known.ts'
import { span } from './span.ts'
import type { Trouble } from './trouble.ts'

interface Circumstances {
  readonly known: Known
  readonly trouble: Trouble
  readonly bounds: Bounds
}

interface ReadingsJudged {
  readonly wrong: readonly string[]
  readonly judged: {
    readonly readings: number
    readonly chunks: number
    readonly resumed: number
    /** Those for which a change was known that forbids what was before. */
    readonly bound: number
  }
}

/**
 * Judges the readings of one stream, given the runs of its producers. Rules:
 *
 * - order: its chunks are number 0, 1, 2 …: none is missing, none is there twice;
 * - one producer: they are a copy of what one run has made; where streams are resumed, each run begins where the one before it ends;
 * - one past: all who read a run that has gone on with another's have had the same before it;
 * - whole: the stream ends after its last chunk, and no chunk comes after that;
 * - end: every wait ends in time, and an error is explained by a producer that failed or was lost;
 * - fresh, resurrection: what it begins with, as any answer.
 */
export function checkReadings(
  readings: readonly Reading[],
  productions: readonly Load[],
  { known, trouble, bounds }: Circumstances,
): ReadingsJudged {
  const wrong: string[] = []
  const judged = { readings: 0, chunks: 0, resumed: 0, bound: 0 }
  /** By run: what came before its first chunk. */
  const pasts = new Map<string, string>()
  for (const reading of readings) {
    const { pieces, process, key, from, how } = reading
    const complain = (rule: string, what: string): void => void wrong.push(`${rule}: ${tell(reading)} ${what}`)
    judged.readings++
    judged.chunks += pieces.length
    if (new Set(pieces.map(({ run }) => run)).size > 1) judged.resumed++

    const displaced = pieces.findIndex(({ number }, index) => number !== index)
    if (displaced >= 0) complain('order', `had ${name(pieces[displaced])} as number ${displaced}`)

    const strange = pieces.find((piece, index) => index > 0 && !follows(piece, pieces[index - 1] as Piece, reading))
    if (strange !== undefined) complain('one producer', `had ${name(strange)} after ${name(before(pieces, strange))}`)

    for (const [index, { run, since, number }] of pieces.entries()) {
      if (since === 0 || number !== since) continue
      const past = pieces.slice(0, index).map(name).join()
      if ((pasts.get(run) ?? past) !== past) complain('one past', `had ${past} before ${run}, not ${pasts.get(run)}`)
      else pasts.set(run, past)
    }

    const last = pieces.at(-1)
    const isWhole = last !== undefined && pieces.length === last.of
    if (reading.end === 'whole' && !isWhole) complain('whole', `ended after ${name(last)}`)
    if (last !== undefined && pieces.length > last.of) complain('whole', `went on with ${name(last)}`)

    wrong.push(...checkEnd(reading, productions, trouble, bounds))

    const [first] = pieces
    if (first === undefined) continue
    const least = known.least({ process, key, from, how }, bounds.grace)
    if (least.version > 0) judged.bound++
    if (first.version < least.version)
      complain(least.rule, `had version ${first.version} (${how}) when ${least.version} was ${least.why}`)
  }
  return { wrong, judged }
}

/** Whether the two may be neighbours. */
function follows(piece: Piece, former: Piece, { resumes }: Reading): boolean {
  if (piece.run === former.run) return true
  return resumes && piece.since > 0 && piece.since === piece.number
}

function checkEnd(
  reading: Reading,
  productions: readonly Load[],
  trouble: Trouble,
  { longestWait, recovery }: Bounds,
): string[] {
  const { process, from, to, pieces, error } = reading
  if (to === null) return [`end: ${tell(reading)} and never ended`]
  const instants = [from, ...pieces.map(({ at }) => at), to]
  const wrong = instants.slice(1).flatMap((at, index) => {
    const waited = at - (instants[index] as number) - trouble.lostTime(process, instants[index] as number, at)
    return waited > longestWait ? [`end: ${tell(reading)} waited ${Math.round(waited)} ms for number ${index}`] : []
  })
  if (error === undefined) return wrong
  const isExplained = error.startsWith('ProducerLostError')
    ? trouble.hitsAny(from - recovery, to)
    : explainsFailure(error, { from, to }, productions, trouble)
  return isExplained ? wrong : [...wrong, `end: ${tell(reading)} and failed`]
}

function before(pieces: readonly Piece[], piece: Piece): Piece | undefined {
  return pieces[pieces.indexOf(piece) - 1]
}

function name(piece: Piece | undefined): string {
  return piece === undefined ? 'nothing' : `${piece.run}:${piece.number}/${piece.of}`
}

function tell({ process, key, from, to, end, error }: Reading): string {
  return `${process} read ${key} at ${span(from, to)} (${error ?? end ?? 'under way'})`
}
