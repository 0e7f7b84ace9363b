import type { DoctorRequest } from '../arguments.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { type Colour, type Output, paint, printable } from '../output.ts'
import type { Diagnosis } from './doctor.ts'
import type { Level } from './finding.ts'

const COLOURS: Readonly<Record<Level, Colour>> = { ok: 'green', warn: 'yellow', fail: 'red', unknown: 'dim' }
const LEVELS: readonly Level[] = ['ok', 'warn', 'fail', 'unknown']

/** Prints the findings and returns the exit code. */
export function reportDiagnoses(
  diagnoses: readonly Diagnosis[],
  { json, strict }: Pick<DoctorRequest, 'json' | 'strict'>,
  output: Output,
): ExitCode {
  const exitCode = exitCodeOf(diagnoses, strict)
  if (json) {
    const instances = diagnoses.map(({ instance, findings }) => ({ instance, findings }))
    output.write(`${JSON.stringify({ ok: exitCode === EXIT.ok, exitCode, instances }, null, 2)}\n`)
    return exitCode
  }
  for (const diagnosis of diagnoses) output.write(`${textOf(diagnosis, output)}\n`)
  output.write(`${summaryOf(diagnoses)}\n`)
  return exitCode
}

export function exitCodeOf(
  diagnoses: readonly Pick<Diagnosis, 'findings' | 'isUnreachable'>[],
  strict: boolean,
): ExitCode {
  if (diagnoses.some(({ isUnreachable }) => isUnreachable)) return EXIT.unreachable
  const levels = diagnoses.flatMap(({ findings }) => findings.map(({ level }) => level))
  return levels.includes('fail') || (strict && levels.includes('warn')) ? EXIT.failure : EXIT.ok
}

function textOf({ instance, findings }: Diagnosis, output: Output): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.map(({ check, level, said, change }) => {
    const line = `  ${paint(output, COLOURS[level], level.padEnd(7))}  ${check.padEnd(width)}  ${printable(said)}`
    return change === undefined ? line : `${line}\n${' '.repeat(width + 13)}change: ${printable(change)}`
  })
  return [paint(output, 'bold', printable(instance)), ...lines, ''].join('\n')
}

function summaryOf(diagnoses: readonly Diagnosis[]): string {
  const levels = diagnoses.flatMap(({ findings }) => findings.map(({ level }) => level))
  return LEVELS.map((level) => `${levels.filter((each) => each === level).length} ${level}`).join(', ')
}
