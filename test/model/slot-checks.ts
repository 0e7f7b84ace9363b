import type { Check, Mutation } from './checks.ts'

/** The questions that `slots.pml` answers: the slots in which loads run, and the line of those who wait for one. */
const model = 'slots'
const NOTHING = 'skip'
/** Nobody gives up waiting. */
const ALL_WAIT = 'NLEAVE=0'

export const slotChecks: Readonly<Record<string, Check>> = {
  slots: { model, changes: NOTHING, defines: [], about: 'three loads, one slot', quick: true },
  'slots-two': { model, changes: NOTHING, defines: ['NL=4', 'MAX=2'], about: 'four loads, two slots' },
  'slots-lost-command': {
    model,
    changes: NOTHING,
    defines: ['NLOST=1'],
    about: 'who gives up cannot tell Redis',
    quick: true,
  },
  'slots-crash': {
    model,
    changes: 'run Crash(1)',
    defines: ['TIMERS=1'],
    about: 'a process that vanishes, at whatever moment',
    quick: true,
  },
  'slots-crash-in-line': {
    model,
    changes: 'run CrashInLine(1)',
    defines: ['NL=4', ALL_WAIT],
    about: 'a process that vanishes while it stands in line: no timer is needed',
    quick: true,
  },
  'slots-disconnect': {
    model,
    changes: 'run Disconnect(1)',
    defines: [],
    about: 'a subscriber that reconnects',
    quick: true,
  },
  'slots-disconnect-four': {
    model,
    changes: 'run Disconnect(1)',
    defines: ['NL=4', ALL_WAIT],
    about: 'the same with four loads',
  },
  'slots-freeze': {
    model,
    changes: 'run Freeze(1)',
    defines: ['TIMERS=1'],
    about: 'a process that is frozen beyond the time of its slots',
  },
}

export const slotMutations: Readonly<Record<string, Mutation>> = {
  M_FULL: { check: 'slots', without: 'slots are handed on only as far as there are any', quick: true },
  M_EARLY: { check: 'slots', without: 'a slot is given back when its load has ended', quick: true },
  M_NOHANDON: { check: 'slots', without: 'who gives a slot back hands it on' },
  M_SLOTKEPT: { check: 'slots', without: 'a message that overtakes the reply is kept for it' },
  M_LATEREPLY: { check: 'slots', without: 'what a load is given after it has left is given back' },
  M_LEFTINLINE: { check: 'slots', without: 'who gives up gives up his place' },
  M_UNHEARD: { check: 'slots-lost-command', without: 'a slot that nobody wants any more is given back' },
  M_NOREAP: { check: 'slots-crash', without: 'slots end by time', quick: true },
  M_UNREACHED: { check: 'slots-crash-in-line', without: 'who cannot be reached gets no slot', quick: true },
  M_NORESET: { check: 'slots-disconnect', without: 'after a reconnection those in line look', quick: true },
  M_LOOKEDFOR: { check: 'slots-disconnect', without: 'who finds that he has a slot takes it' },
}
