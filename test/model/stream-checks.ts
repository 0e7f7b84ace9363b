import type { Check, Mutation, Possibility } from './checks.ts'

/** The questions that `streams.pml` answers: the log of a stream, the runs that append to it, and who reads it. */
const model = 'streams'
const NOTHING = 'skip'
const RESUME = 'RESUME'
const NOBODY_CRASHES = 'CRASHES=0'
const NOTHING_LAPSES = 'LAPSES=0'
const NOTHING_TWICE = 'AGAINS=0'
/** A run loses its lease, or its sign of life, while it lives. */
const OVERTAKEN = [NOBODY_CRASHES, NOTHING_TWICE]

export const streamChecks: Readonly<Record<string, Check>> = {
  streams: {
    model,
    changes: NOTHING,
    defines: [RESUME, ...OVERTAKEN],
    about: 'a producer that is overtaken while it lives, and another that goes on with its stream',
    quick: true,
  },
  'streams-restarted': {
    model,
    changes: NOTHING,
    defines: [...OVERTAKEN],
    about: 'the same where the other begins anew',
  },
  'streams-again': {
    model,
    changes: NOTHING,
    defines: [RESUME, NOTHING_LAPSES],
    about: 'a producer that is killed, and commands that arrive twice',
  },
  'streams-all': {
    model,
    changes: NOTHING,
    defines: [RESUME],
    about: 'all of that in one run',
  },
  'streams-unheard': {
    model,
    changes: NOTHING,
    defines: [RESUME, ...OVERTAKEN, 'UNHEARD=1'],
    about: 'a message to the reader that is lost',
  },
  'streams-failover': {
    model,
    changes: 'run Failover(1)',
    defines: [RESUME, NOTHING_TWICE],
    about: 'a failover that loses a chunk',
  },
  'streams-changed': {
    model,
    changes: 'run Change()',
    defines: [RESUME, ...OVERTAKEN, NOTHING_LAPSES],
    about: 'invalidate while a stream is under way',
  },
}

export const streamMutations: Readonly<Record<string, Mutation>> = {
  M_UNFENCED: { check: 'streams', without: 'whoever has lost his run appends nothing', quick: true },
  M_MIXED: {
    check: 'streams',
    without: 'that, and the note at how many chunks a log was taken over: each alone keeps readers from a mixture',
    quick: true,
  },
  M_NOLEASE: { check: 'streams', without: 'the present run appends only under its lease' },
  M_TWICE: { check: 'streams-again', without: 'what an earlier attempt has appended is not appended again' },
  M_REVIVED: { check: 'streams-all', without: 'a begin that is sent twice revives no run whose life has run out' },
  M_ANYRUN: { check: 'streams-restarted', without: 'a reader goes on only with the run that it has begun to read' },
  M_GAP: { check: 'streams-unheard', without: 'a message that is missing shows by its number' },
  M_HOLE: { check: 'streams-failover', without: 'nothing is appended behind a chunk that is missing' },
  M_UNNOTED: { check: 'streams-failover', without: 'the head notes at how many chunks a log was taken over' },
  M_STILLPRESENT: { check: 'streams-changed', without: 'a change detaches the run, so that nobody goes on with it' },
}

export const streamPossibilities: Readonly<Record<string, Possibility>> = {
  P_RESUMED: { check: 'streams', about: 'a reader gets the whole of a stream that another producer went on with' },
}
