import type { Configuration } from './spin.ts'

/** One question that the model answers. */
export interface Check extends Configuration {
  /** What is to be kept, for people. */
  readonly about: string
  /** Small enough for every run of the tests. */
  readonly quick?: true
}

/** A rule taken away: the check named must then fail. */
export interface Mutation {
  readonly check: string
  /** The rule that is missing, for people. */
  readonly without: string
  readonly quick?: true
}

/** Something good that must be possible: the check named must meet it. */
export interface Possibility {
  readonly check: string
  readonly about: string
  readonly quick?: true
}

const set = (process: 0 | 1, own: 110 | 111, hasTag = false): string => `run Setter(${process},${own},${hasTag})`
const both = (...changes: string[]): string => changes.join('; ')

/** Two flights in process 0, one in process 1. */
const THREE = ['SKIPF=3']
/** One flight in each process. */
const TWO = ['FPP=1']
/** A fresh value stands in Redis at the start. */
const FILLED = 'PRE'
const NOTHING_EXPIRES = 'NVEXP=0'
const NOTHING_EVICTED = 'NEVICT=0'
const NOBODY_JOINS = 'NJOIN=0'
const CLUSTER = ['TAGS', 'CLUSTER', NOTHING_EXPIRES, NOTHING_EVICTED]
const GAP = ['NDISC=1', NOTHING_EXPIRES, NOTHING_EVICTED]
const LEASE_ENDS = ['NLEXP=1', 'NTIMER=1', NOTHING_EXPIRES, NOTHING_EVICTED, NOBODY_JOINS]
const CHANGES_ONLY = [FILLED, NOTHING_EXPIRES, NOBODY_JOINS]

export const checks: Readonly<Record<string, Check>> = {
  invalidate: { changes: 'run Inval(1)', defines: [...THREE, FILLED], about: 'invalidate' },
  'two-invalidations': {
    changes: both('run Inval(0)', 'run Inval(1)'),
    defines: [...TWO, ...CHANGES_ONLY],
    about: 'invalidate in two processes at once',
  },
  'invalidate-refused': {
    changes: 'run Inval(0)',
    defines: [...THREE, ...CHANGES_ONLY, 'NREFUSE=1'],
    about: 'invalidate that Redis refuses at first (NOSCRIPT, a redirection)',
  },
  set: { changes: set(0, 110), defines: [...THREE, FILLED], about: 'set' },
  'two-sets': {
    changes: both(set(0, 110), set(0, 111)),
    defines: [...THREE, ...CHANGES_ONLY],
    about: 'two sets at once in one process',
  },
  'two-sets-apart': {
    changes: both(set(0, 110), set(1, 111)),
    defines: [...THREE, ...CHANGES_ONLY],
    about: 'two sets at once in two processes',
  },
  'two-sets-refused': {
    changes: both(set(0, 110), set(0, 111)),
    defines: [...THREE, ...CHANGES_ONLY, 'NREFUSE=1'],
    about: 'two sets at once, one refused at first, so that the other overtakes it',
  },
  'two-sets-refused-apart': {
    changes: both(set(0, 110), set(1, 111)),
    defines: [...THREE, ...CHANGES_ONLY, 'NREFUSE=1'],
    about: 'the same in two processes',
  },
  'two-sets-cluster': {
    changes: both(set(0, 110, true), set(0, 111)),
    defines: [...THREE, ...CLUSTER, FILLED, NOBODY_JOINS],
    about: 'two sets at once on a Cluster, the first with a tag, for which it asks the node of the tag',
  },
  'two-sets-cluster-apart': {
    changes: both(set(0, 110, true), set(1, 111)),
    defines: [...THREE, ...CLUSTER, FILLED, NOBODY_JOINS],
    about: 'the same in two processes',
  },
  'set-invalidate': {
    changes: both(set(0, 110), 'run Inval(1)'),
    defines: [...THREE, ...CHANGES_ONLY],
    about: 'set and invalidate at once',
  },
  'set-other-tag': {
    changes: both(set(0, 110), 'run OtherTag(1)'),
    defines: [...THREE, FILLED, NOTHING_EXPIRES, 'NREFUSE=1'],
    about: 'set beside the invalidation of a tag that the value does not have',
  },
  'set-tag': {
    changes: both(set(0, 110, true), 'run TagInv(1)'),
    defines: [...TWO, ...CHANGES_ONLY, 'TAGS'],
    about: 'set beside the invalidation of its tag',
  },
  'set-tag-cluster': {
    changes: both(set(0, 110, true), 'run TagInv(1)'),
    defines: [...TWO, ...CLUSTER, FILLED, NOBODY_JOINS],
    about: 'the same on a Cluster',
  },
  'set-failed': {
    changes: both(set(0, 110), 'run Inval(1)'),
    defines: [...THREE, ...CHANGES_ONLY, 'NFAIL=1'],
    about: 'a set whose reply is lost, and invalidate',
  },
  'set-failed-set': {
    changes: both(set(0, 110), set(1, 111)),
    defines: [...TWO, ...CHANGES_ONLY, 'NFAIL=1', 'NREFUSE=1'],
    about: 'a set whose reply is lost, and another',
  },
  'tags-declared': {
    changes: 'run TagInv(1)',
    defines: [...THREE, FILLED, 'TAGS'],
    about: 'invalidateTags, calls name the tag',
  },
  'tags-undeclared': {
    changes: 'run TagInv(0)',
    defines: [...THREE, FILLED, 'TAGS', 'DECL=0', NOTHING_EVICTED],
    about: 'invalidateTags, only loaders name the tag',
  },
  'tags-not-stored': {
    changes: 'run TagInv(1)',
    defines: [...THREE, FILLED, 'TAGS', 'DELIVER'],
    about: 'invalidateTags, the loader says doNotStore()',
  },
  'cluster-tags-declared': {
    changes: 'run TagInv(1)',
    defines: [...THREE, ...CLUSTER, FILLED, NOBODY_JOINS],
    about: 'invalidateTags on a Cluster, calls name the tag',
  },
  'cluster-tags-undeclared': {
    changes: 'run TagInv(0)',
    defines: [...THREE, ...CLUSTER, 'DECL=0'],
    about: 'invalidateTags on a Cluster, only loaders name the tag',
  },
  'cluster-tags-not-stored': {
    changes: 'run TagInv(1)',
    defines: [...THREE, ...CLUSTER, NOBODY_JOINS, 'DELIVER'],
    about: 'invalidateTags on a Cluster, the loader says doNotStore()',
  },
  'cluster-stale': {
    changes: 'run TagInv(1)',
    defines: [...THREE, 'TAGS', 'CLUSTER', FILLED, NOTHING_EVICTED, NOBODY_JOINS],
    about: 'expiry of the value, stale values and invalidateTags on a Cluster',
  },
  expire: {
    changes: 'run Expire(1)',
    defines: [...TWO, FILLED, 'EXPIRES'],
    about: 'expire: stale values are served, and nothing from before it as fresh',
    quick: true,
  },
  'expire-three': {
    changes: 'run Expire(0)',
    defines: [...THREE, ...CHANGES_ONLY, 'EXPIRES', NOTHING_EVICTED],
    about: 'the same with a further flight in the process that expires',
  },
  'expire-invalidate': {
    changes: both('run Expire(0)', 'run Inval(1)'),
    defines: [...TWO, ...CHANGES_ONLY, 'EXPIRES', NOTHING_EVICTED],
    about: 'expire and invalidate at once',
  },
  'expire-set': {
    changes: both(set(0, 110), 'run Expire(1)'),
    defines: [...TWO, ...CHANGES_ONLY, 'EXPIRES', NOTHING_EVICTED],
    about: 'expire beside a set',
  },
  'expire-tags': {
    changes: 'run TagExp(1)',
    defines: [...THREE, FILLED, 'EXPIRES', 'TAGS', NOTHING_EXPIRES, NOTHING_EVICTED],
    about: 'expireTags',
  },
  'expire-gap': {
    changes: 'run Expire(1)',
    defines: [...TWO, ...GAP, FILLED, 'EXPIRES', NOBODY_JOINS],
    about: 'expire, and a subscriber that reconnects',
  },
  failures: {
    changes: 'run Inval(1)',
    defines: [...THREE, 'NLOADFAIL=1', NOTHING_EVICTED],
    about: 'a load that fails and is remembered, and invalidate',
  },
  'failures-expire': {
    changes: 'run Expire(1)',
    defines: [...TWO, 'NLOADFAIL=2', 'EXPIRES', NOTHING_EVICTED],
    about: 'loads that fail and are remembered, and expire',
  },
  'failures-set': {
    changes: set(0, 110),
    defines: [...TWO, 'NLOADFAIL=1', NOTHING_EVICTED],
    about: 'a load that fails and is remembered, and set',
  },
  'failures-lease': {
    changes: 'run Inval(1)',
    defines: [...TWO, ...LEASE_ENDS, 'NLOADFAIL=1', 'MAXTOK=4'],
    about: 'a load that fails after its lease has run out',
  },
  forced: {
    changes: 'run Inval(1)',
    defines: [...THREE, ...CHANGES_ONLY, NOTHING_EVICTED, 'FORCE=1'],
    about: 'forceFresh, which takes the lease of another load, beside invalidate',
  },
  'forced-set': {
    changes: set(1, 111),
    defines: [...THREE, ...CHANGES_ONLY, NOTHING_EVICTED, 'FORCE=1'],
    about: 'the same beside set',
  },
  'forced-empty': {
    changes: 'run Inval(1)',
    defines: [...THREE, NOTHING_EXPIRES, NOTHING_EVICTED, 'FORCE=1'],
    about: 'the same where nothing is stored, so that others join',
  },
  gap: { changes: 'run Inval(1)', defines: [...TWO, ...GAP], about: 'a subscriber that reconnects, with joiners' },
  'gap-three': {
    changes: 'run Inval(1)',
    defines: [...THREE, ...GAP, NOBODY_JOINS, 'MAXTOK=4'],
    about: 'the same with a further flight in the process, without joiners',
  },
  'gap-plain-reads': {
    changes: 'run Inval(1)',
    defines: [...TWO, ...GAP, FILLED, 'LOOKS'],
    about: 'the same with plain reads',
  },
  'gap-tags': {
    changes: 'run TagInv(1)',
    defines: [...TWO, ...GAP, FILLED, 'TAGS'],
    about: 'a gap and invalidateTags',
  },
  'gap-cluster': {
    changes: 'run TagInv(1)',
    defines: [...TWO, ...GAP, NOBODY_JOINS, 'TAGS', 'CLUSTER'],
    about: 'a gap and invalidateTags on a Cluster',
  },
  'gap-sets': {
    changes: both(set(0, 110), set(1, 111)),
    defines: [...TWO, ...GAP, FILLED, NOBODY_JOINS],
    about: 'a gap and two sets',
  },
  'gap-lease': {
    changes: 'run Inval(1)',
    defines: [...TWO, ...GAP, NOBODY_JOINS, 'NLEXP=1', 'NTIMER=1'],
    about: 'a gap and a lease that runs out',
  },
  crash: {
    changes: 'run Inval(1)',
    defines: [...THREE, ...LEASE_ENDS, 'NCRASH=1', 'MAXTOK=4'],
    about: 'a leader that vanishes',
  },
  'lease-untaken': {
    changes: 'run Inval(1)',
    defines: [...TWO, 'SKIPF=1', ...LEASE_ENDS],
    about: 'a lease that runs out and that nobody takes',
    quick: true,
  },
  'lease-taken': {
    changes: 'run Inval(1)',
    defines: [...THREE, ...LEASE_ENDS, 'MAXTOK=4'],
    about: 'a lease that runs out and may be taken',
  },
  'load-other-tag': {
    changes: 'run OtherTag(1)',
    defines: [...THREE, FILLED],
    about: 'invalidation of a tag that the value does not have',
  },
  'plain-reads': {
    changes: 'run Inval(1)',
    defines: [...THREE, FILLED, 'LOOKS'],
    about: 'plain reads, expiry of the value, stale values',
  },
  tracking: {
    changes: 'run Hand()',
    defines: [...THREE, FILLED, 'TRACKING', NOTHING_EVICTED],
    about: 'a DEL by hand, with tracking',
  },
  'tracking-plain-reads': {
    changes: 'run Hand()',
    defines: [...THREE, FILLED, 'TRACKING', 'LOOKS'],
    about: 'the same with plain reads',
  },
}

export const mutations: Readonly<Record<string, Mutation>> = {
  M_NOTOKEN: { check: 'invalidate', without: 'a commit is accepted only under the token of its lease' },
  M_LEASEAFTER: { check: 'invalidate', without: 'invalidate deletes value and lease in one step' },
  M_REGLATE: { check: 'invalidate', without: 'the claim itself registers whoever must wait' },
  M_NOKEPT: {
    check: 'invalidate',
    without: 'messages that overtake the reply to a claim are kept for it',
  },
  M_NOREVOKE: { check: 'invalidate', without: 'a change that is heard of revokes flights' },
  M_FORGETCUR: {
    check: 'invalidate',
    without: 'forget(key) revokes also the flights that nobody can join any more',
  },
  M_LATEJOIN: { check: 'tags-not-stored', without: 'nobody joins a flight that has its result' },
  M_SETNOFORGET: {
    check: 'two-sets-refused',
    without: 'set forgets the key at its reply also when its note is gone',
    quick: true,
  },
  M_SETKEEPS: { check: 'two-sets-apart', without: 'set keeps its value only while its note is its own' },
  M_GHOST: { check: 'set-failed', without: 'Redis refuses a set that was reported as failed' },
  M_TAGLATE: { check: 'tags-undeclared', without: 'a commit is refused if its tag was invalidated since the claim' },
  M_TAGJOIN: {
    check: 'tags-undeclared',
    without: 'forgetTagged ends joining whatever tags a call has named',
  },
  M_TAGKEEP: {
    check: 'tags-undeclared',
    without: 'a result is not kept if its tag was invalidated since the question',
  },
  M_DELIVERTAG: {
    check: 'tags-not-stored',
    without: 'what is not stored is refused like a commit if its tag was invalidated',
  },
  M_TAKEBESIDE: {
    check: 'forced',
    without: 'a forced load takes the lease away from whoever has it',
    quick: true,
  },
  M_EXPLEASE: {
    check: 'expire',
    without: 'expire revokes the lease in the step in which it ends the ttl',
  },
  M_EXPKEEP: { check: 'expire', without: 'what was asked for before an expiry is not kept' },
  M_EXPJOIN: { check: 'expire', without: 'after an expiry nobody joins a flight from before it' },
  M_EXPTAG: {
    check: 'expire-tags',
    without: 'what has the tag is stale for Redis, and what began before is not stored',
  },
  M_CLUSTERMSG: { check: 'cluster-tags-undeclared', without: 'on a Cluster the receiver of a value checks its tags' },
  M_CLUSTERSTALE: { check: 'cluster-stale', without: 'on a Cluster the tags of stale values are checked, too' },
  M_NOGAP: { check: 'gap-tags', without: 'a gap empties memory' },
  M_NOOUTDATE: { check: 'gap-plain-reads', without: 'what was asked before a gap is not kept' },
  M_GAPJOIN: { check: 'gap-tags', without: 'nobody joins a flight from before a gap', quick: true },
  M_GAPCOMMIT: { check: 'gap', without: 'after a gap only a commit that left after it is kept' },
  M_GAPNEED: {
    check: 'gap-cluster',
    without: 'on a Cluster the question for the tags has left after the gap, too',
  },
  M_LASTKEPT: { check: 'lease-untaken', without: 'set and invalidate delete `last`' },
  M_REPLICA: { check: 'plain-reads', without: 'plain reads go to the master, not to a replica that lags' },
  M_TRACKREAD: { check: 'tracking', without: 'a message of tracking revokes flights and looks' },
}

export const possibilities: Readonly<Record<string, Possibility>> = {
  P_LATECOMMIT: { check: 'lease-untaken', about: 'a commit is accepted although its lease has run out', quick: true },
  P_GAPKEPT: { check: 'gap-lease', about: 'memory keeps a commit that left after a gap' },
  P_SETKEPT: {
    check: 'set-other-tag',
    about: 'memory keeps what was set beside the invalidation of another tag',
  },
  P_TAGKEPT: { check: 'load-other-tag', about: 'memory keeps what was loaded meanwhile, too' },
}
