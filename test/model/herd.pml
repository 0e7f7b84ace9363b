/*
 * The cache's protocol for one key: NP processes and one Redis, or a Cluster in which the key and its tag lie on two nodes.
 * README.md, beside this file, says how to run it and how to read a trace.
 *
 * What stands for what (files of src/):
 *   Redis, execute()     redis/scripts/{claim,settle,overwrite,invalidate-tag,need-tag,wake-waiters}.ts; each runs in one step
 *   req, rep             the command connection of a process (redis/connection.ts): first in, first out, both ways
 *   reqT, repT           the same to the node of the tag, on a Cluster only
 *   sub, subT            the inbox (redis/inbox.ts): changes, and messages to those who wait; subT those of the tag's node
 *   forget …, l1, cur,   cache/local/local.ts, the owner of memory, flights, looks and sets under way:
 *   beingSet, takeGap      forget(key), forgetTagged(tag), outdateAll()
 *   Flight               cache/refill/refill.ts; with LOOKS a plain read first (cache/read/first-look.ts).
 *                        Each claim has a token of its own (cache/shared/tier.ts, claim)
 *   Joiner               cache/read/read-path.ts, a caller who finds a flight under way
 *   Listener             cache/shared/tier.ts (onChange, onGap, onTracked) and redis/inbox.ts
 *   Setter               cache/refill-cache.ts, set; store/redis-store.ts, write
 *   Inval, TagInv        cache/refill-cache.ts, invalidate and invalidateTags; OtherTag: a tag that the key does not have
 *   Expire, TagExp       cache/refill-cache.ts, expire and expireTags (EXPIRES); the moments of `over` come at any time
 *   a load that fails    cache/refill/refill.ts, #loadFailed with failureTtl (NLOADFAIL): its mark is kept like a value
 *   Hand                 another program that deletes the value, with memory.tracking on
 *
 * Data are numbers: a load yields the number of the last change of the source at its start (db). Who invalidates changes the
 * source first (n = ++db) and calls then. A set gets its number when Redis carries it out.
 * known[p]: the newest change that process p was told of. It was told by the answer to its own call, by a message, or, after a
 * reconnect, of all that was carried out before SUBSCRIBE. knownX[p]: the same of expiries.
 *
 * Properties
 *   1  Nobody is answered with less than his process knew when he asked (SERVE). What has expired may be served as stale
 *      (STALE), and never as fresh.
 *   2  A commit never replaces something newer, and comes after no change that it has not seen (execute, SETTLE and SET_).
 *   3  Only one loader runs, unless the lease was lost.
 *   4  Memory is never older than what its process knows (Monitor).
 *   5  Nobody joins a flight that has its result already (Joiner).
 *   6  Whoever waits is told, without a timer (no invalid end state), unless the configuration has timers.
 */
#ifndef NP
#define NP 2
#endif
#ifndef FPP
#define FPP 2           /* flights of a process */
#endif
#define NF (NP*FPP)
#define NONE 255
#define NOFL 255
#ifndef MAXTOK
#define MAXTOK 8
#endif
#ifndef SKIPF
#define SKIPF 99        /* this flight is left out */
#endif
#ifndef NDISC
#define NDISC 0         /* losses of a subscriber's connection */
#endif
#ifndef NLEXP
#define NLEXP 0         /* expiries of the lease */
#endif
#ifndef NVEXP
#define NVEXP 1         /* expiries of the value */
#endif
#ifndef NEVICT
#define NEVICT 1        /* entries that memory drops */
#endif
#ifndef NJOIN
#define NJOIN 1         /* callers who join a flight */
#endif
#ifndef NTIMER
#define NTIMER 0        /* waits that end by their timer */
#endif
#ifndef NCRASH
#define NCRASH 0        /* leaders that vanish */
#endif
#ifndef NFAIL
#define NFAIL 0         /* sets whose reply is lost */
#endif
#ifndef NREFUSE
#define NREFUSE 0       /* changes that Redis refuses at first (NOSCRIPT, a redirection), so that later commands overtake them */
#endif
#ifndef NLOADFAIL
#define NLOADFAIL 0     /* loads that fail, without a stale value, and are remembered */
#endif
#ifndef FORCE
#define FORCE 99        /* this flight is forced (forceFresh): it takes the lease from whoever has it */
#endif
#ifndef DECL
#define DECL 1          /* calls name the tag; 0: only their loaders do. Only M_TAGJOIN and M_TAGKEEP look at it */
#endif

mtype = { GET, CLAIM, TAKE, SETTLE, DELIVER_, DEL_, SET_, EXP_, TAG, TAGX, OTHERTAG, NEEDTAG, NEEDNOW, CHECKTAG, UNKNOWN, REG, ABANDON,
          FRESH, LEASED, BUSY, NOTHING, OK_, LOST, INVALID,
          CHG, EXPC, TAGC, TAGXC, OTHERC, TRK, VAL, PASSING, AGAIN }

#ifdef TAGS
#define PLAIN false     /* plain reads take values without tags only */
#else
#define PLAIN true
#endif
#ifdef DELIVER
#define STORES false    /* the loader said doNotStore() */
#else
#define STORES true
#endif

/* ---- Redis ---- */
byte vG = NONE; bool vStale = false; byte vTok = 0;
#ifdef M_REPLICA
byte lagG = 0; bool lagStale = false; /* what a replica has */
#define readG lagG
#define readStale lagStale
#else
#define readG vG
#define readStale vStale
#endif
byte lease = 0;
byte last = 0;                  /* the token of the last claim that took the lease, until somebody ends or changes it */
bool waiters[NP];
bool granted[MAXTOK+2];         /* tokens under which a value with the tag is loaded or stored */
bool bad[MAXTOK+2];             /* … and those since whose grant the tag was invalidated */
byte maxExec = 0, maxOver = 0;  /* the newest change that was carried out; the newest by set or invalidate */
byte db = 0, nexttok = 0;
bool subUp[NP]; byte gapN[NP];
byte trk[NP];                   /* a message of tracking that has not left yet */

/* ---- processes ---- */
byte l1[NP] = NONE;             /* memory */
byte l1Of[NP] = NOFL;           /* the flight whose result that is, while its store is not acknowledged */
byte cur[NP] = NOFL;            /* the flight that callers may join */
byte known[NP]; bool ready[NP];
byte beingSet[NP]; bool beingSetT[NP]; /* the set under way that no other change has followed; whether it has the tag */
bool noticed[NP];               /* the process has noticed that its subscriber is gone */
byte need[NF];                  /* what the flight's callers knew */
bool revoked[NF];               /* forget(key) since the start */
bool tagged[NF];                /* forgetTagged(tag) since the question was sent */
bool gap[NF];                   /* a gap since the start … */
bool gapC[NF];                  /* … and since the first command of its commit was sent */
byte lis[NF]; bool intr[NF]; byte mboxK[NF]; byte mboxG[NF]; byte mboxT[NF];
bool settled[NF]; byte gS[NF]; bool asking[NF]; short keptM[NF];
#define TK (MAXTOK+1)
byte msgK[NP*TK]; byte msgG[NP*TK]; byte msgT[NP*TK]; /* messages by token; keptM: which of them came since the claim left */
byte loaders = 0, joins = 0, timers = 0, disc = 0, crashes = 0, fails = 0, refusals = 0;
bool begun[NF];
byte deadTok = 0;
byte forcedTok = 0;             /* of the forced flight: what it stores is told as a change */
bool leaseLost = false;         /* a lease ended otherwise than by its owner */
bool setDead[2]; byte ghostN[2];/* by set: reported as failed, and the newest change of that moment */

chan req[NP] = [4] of { mtype, byte, byte, byte, bool } /* command, who, token, n or g, flag */
chan rep[NP] = [4] of { byte, mtype, byte, byte, byte } /* who, state, g, token of the holder, token of the value */
chan sub[NP] = [6] of { mtype, byte, byte, byte }       /* kind, token of the refill, g or n, token of the value */
#ifdef CLUSTER
chan subT[NP] = [3] of { mtype, byte, byte, byte }
chan reqT[NP] = [3] of { mtype, byte, byte, byte, bool }
chan repT[NP] = [3] of { byte, mtype, byte, byte, byte }
#define TSUB subT
#define TREQ reqT
#define TREP repT
#else
#define TSUB sub
#define TREQ req
#define TREP rep
#endif

#define MAX(a,b) ((a)>(b)->(a):(b))
#define STALE(f,g) assert((g) != NONE && (g) >= need[f])

/* ---- expiries: what is known of them, and that values are stale ---- */
#ifdef EXPIRES
byte maxX = 0;                  /* the newest expiry that was carried out */
bool badX[MAXTOK+2];            /* tokens since whose grant the tag was expired */
byte gapX[NP];
byte knownX[NP];
bool l1S[NP];                   /* memory's value is stale */
byte needX[NF];                 /* what the flight's callers knew of expiries */
#define SERVE(f,g) assert((g) != NONE && (g) >= need[f] && (g) >= needX[f])
#define ASKS(f,p) need[f] = known[p]; needX[f] = knownX[p]
#define noAsk(f) need[f] = 0; needX[f] = 0
#define L1STALE(p) l1S[p]
#define markL1(p,s) l1S[p] = s
#define TOOSTALE(p) (!l1S[p] && l1[p] < knownX[p])
#define EXPIREDTAG(t) badX[t]
#define gapExpiries(p) knownX[p] = MAX(knownX[p], gapX[p])
#define noteExpiries(p) gapX[p] = maxX
#else
#define SERVE(f,g) STALE(f,g)
#define ASKS(f,p) need[f] = known[p]
#define noAsk(f) need[f] = 0
#define L1STALE(p) false
#define markL1(p,s) skip
#define TOOSTALE(p) false
#define EXPIREDTAG(t) false
#define gapExpiries(p) skip
#define noteExpiries(p) skip
#endif

/* ---- marks of failures: values without a window, which must not replace a value ---- */
#if NLOADFAIL > 0
bool vF = false;                /* what stands in Redis is a mark */
byte loadFails = 0;
#define markV(b) vF = b
#define ISMARK vF
#else
#define markV(b) skip
#define ISMARK false
#endif

/* Possibilities: something good that a check must meet; it is reported like a broken promise. */
#ifdef P_GAPKEPT
#define P_GAPKEPT_ true
#else
#define P_GAPKEPT_ false
#endif
#ifdef P_SETKEPT
#define P_SETKEPT_ true
#else
#define P_SETKEPT_ false
#endif
#ifdef P_TAGKEPT
#define P_TAGKEPT_ true
#else
#define P_TAGKEPT_ false
#endif
#define possible(what) assert(!(what))
bool otherTag = false;          /* another tag was invalidated */

/* What a command must never find. In a replay it ends a way that what was seen did not go, as a wrong answer does. */
#ifdef TRACE
bool broken = false;
#define must(what) broken = broken || !(what)
#else
#define must(what) assert(what)
#endif

/* ---- cache/local/local.ts ---- */
#define MAYKEEP(f) (!revoked[f] && !tagged[f] && !gap[f])
#define putL1(p,g,f) l1[p] = g; l1Of[p] = f; markL1(p,false)
#define dropL1(p) l1[p] = NONE; l1Of[p] = NOFL; markL1(p,false)
#define noSet(p) beingSet[p] = 0; beingSetT[p] = false

/* forget(key): also flights that nobody can join any more. Flights of p are p*FPP and, with two, p*FPP+1. */
inline forget(p) {
  dropL1(p); noSet(p);
#ifdef M_FORGETCUR
  if :: cur[p] != NOFL -> revoked[cur[p]] = true :: else fi;
#else
  revoked[p*FPP] = true; revoked[p*FPP+FPP-1] = true;
#endif
  cur[p] = NOFL }
/* forgetTagged(tag): all values of this model have the tag, but for sets that say otherwise */
inline forgetTagged(p) {
  dropL1(p);
  if :: beingSetT[p] -> noSet(p) :: else fi;
#ifdef M_TAGKEEP
  if :: DECL -> tagged[p*FPP] = true; tagged[p*FPP+FPP-1] = true :: else fi;
#else
  tagged[p*FPP] = true; tagged[p*FPP+FPP-1] = true;
#endif
#ifdef M_TAGJOIN
  if :: DECL -> cur[p] = NOFL :: else fi
#else
  cur[p] = NOFL
#endif
}
#ifdef EXPIRES
/* expire(key): memory's value is stale, or gone where it has no window; all else as forget */
inline expire(p) {
  if :: l1[p] != NONE -> l1S[p] = true; l1Of[p] = NOFL :: dropL1(p) fi;
  noSet(p);
#ifndef M_EXPKEEP
  revoked[p*FPP] = true; revoked[p*FPP+FPP-1] = true;
#endif
#ifndef M_EXPJOIN
  cur[p] = NOFL
#endif
}
inline expireTagged(p) {
  if :: l1[p] != NONE -> l1S[p] = true; l1Of[p] = NOFL :: dropL1(p) fi;
  if :: beingSetT[p] -> noSet(p) :: else fi;
  tagged[p*FPP] = true; tagged[p*FPP+FPP-1] = true;
  cur[p] = NOFL }
#endif
inline forgetOther(p) {
  otherTag = true;
  cur[p] = NOFL
}
/* onGap */
inline takeGap(p) {
  skip;
#ifndef M_NOGAP
  dropL1(p); noSet(p);
#ifndef M_NOOUTDATE
  gap[p*FPP] = true; gap[p*FPP+FPP-1] = true;
#endif
#ifndef M_GAPCOMMIT
  gapC[p*FPP] = true; gapC[p*FPP+FPP-1] = true;
#endif
#ifndef M_GAPJOIN
  cur[p] = NOFL
#endif
#endif
}

/* ---- redis/scripts ---- */
inline wake(kk, tt, gg, vv) {
  i = 0; do :: i < NP -> if :: waiters[i] -> if :: subUp[i] -> assert(nfull(sub[i])); sub[i]!kk,tt,gg,vv :: else fi; waiters[i] = false :: else fi; i++ :: else -> break od }
inline broadcast(n, from) {
  i = 0; do :: i < NP -> if :: i != from && subUp[i] -> assert(nfull(sub[i])); sub[i]!CHG,0,n,0 :: else fi; i++ :: else -> break od }
#ifdef EXPIRES
inline broadcastX(n, from) {
  i = 0; do :: i < NP -> if :: i != from && subUp[i] -> assert(nfull(sub[i])); sub[i]!EXPC,0,n,0 :: else fi; i++ :: else -> break od }
#endif
inline broadcastT(kk, n, from) {
  i = 0; do :: i < NP -> if :: i != from && subUp[i] -> assert(nfull(TSUB[i])); TSUB[i]!kk,0,n,0 :: else fi; i++ :: else -> break od }

#ifdef CLUSTER
#define VBAD false      /* a script cannot read the tag: those who read do */
#define VEXPIRED false
#define BAD(t) false
#else
#define VBAD (vG != NONE && bad[vTok])
#define VEXPIRED (vG != NONE && EXPIREDTAG(vTok))
#ifdef M_TAGLATE
#define BAD(t) false
#else
#define BAD(t) (bad[t] || EXPIREDTAG(t))
#endif
#endif
#ifdef M_DELIVERTAG
#define BADDELIVER(t) false
#else
#define BADDELIVER(t) BAD(t)
#endif
#ifdef M_NOTOKEN
#define ISHIS(t) true
#elif defined(M_TAKEBESIDE)
#define ISHIS(t) (lease == (t) || (lease == 0 && last == (t)) || (t) == forcedTok)
#else
#define ISHIS(t) (lease == (t) || (lease == 0 && last == (t)))
#endif
#ifdef M_LASTKEPT
#define endLast() skip
#else
#define endLast() last = 0
#endif
#ifdef M_GHOST
#define REFUSED(w) false
#else
#define REFUSED(w) setDead[(w)-110]
#endif

inline execute(p) {
  d_step {
    if
    :: k == UNKNOWN -> rep[p]!who,LOST,0,0,0
    :: k == REG -> waiters[p] = true
    :: k == GET ->
       if :: readG != NONE && !readStale && PLAIN -> rep[p]!who,FRESH,readG,0,vTok
          :: else -> rep[p]!who,NOTHING,NONE,0,0 fi
    :: k == CLAIM ->
       if :: VBAD || (ISMARK && (vStale || VEXPIRED)) -> vG = NONE; markV(false) :: else fi;
       if :: vG != NONE && !vStale && !VEXPIRED -> rep[p]!who,FRESH,vG,0,vTok
          :: else ->
             if :: lease == 0 || lease == t -> lease = t; last = t; granted[t] = true; rep[p]!who,LEASED,vG,0,vTok
                :: else ->
#ifndef M_REGLATE
                   if :: r -> waiters[p] = true :: else fi;
#endif
                   rep[p]!who,BUSY,vG,lease,vTok
             fi
       fi
    :: k == TAKE ->                 /* forceFresh: the lease is taken from whoever has it (claim.ts, takeOver) */
       if :: VBAD || (ISMARK && (vStale || VEXPIRED)) -> vG = NONE; markV(false) :: else fi;
       if :: lease != 0 && lease != t -> h = lease; leaseLost = true; wake(AGAIN, h, 0, 0) :: else fi;
#ifdef M_TAKEBESIDE
       if :: lease == 0 -> lease = t; last = t :: else fi;
#else
       lease = t; last = t;
#endif
       granted[t] = true; rep[p]!who,LEASED,vG,0,vTok
    :: k == SETTLE || k == DELIVER_ ->
       if :: !ISHIS(t) -> rep[p]!who,LOST,0,0,0
          :: else ->
             if :: k == SETTLE && BAD(t) -> wake(AGAIN, t, 0, 0); rep[p]!who,INVALID,0,0,0
                :: k == DELIVER_ && BADDELIVER(t) -> wake(AGAIN, t, 0, 0); rep[p]!who,INVALID,0,0,0
                :: k == DELIVER_ && !BADDELIVER(t) -> wake(PASSING, t, g, t); rep[p]!who,OK_,0,0,0
                :: k == SETTLE && !BAD(t) ->
                   must(vG == NONE || vG <= g);
                   must(g >= maxOver);
                   must(!r || vG == NONE || ISMARK);  /* a failure takes no value's place */
#ifdef P_LATECOMMIT
                   must(lease != 0);
#endif
#ifdef M_TAGLATE
                   bad[t] = false;
#endif
                   vG = g; vStale = false; vTok = t; markV(r); wake(VAL, t, g, t); rep[p]!who,OK_,0,0,0;
                   if :: t == forcedTok -> broadcast(g, p) :: else fi
             fi;
             lease = 0; last = 0
       fi
    :: k == ABANDON -> if :: ISHIS(t) -> lease = 0; last = 0; wake(AGAIN, t, 0, 0) :: else fi; rep[p]!who,INVALID,0,0,0
    :: k == DEL_ ->
       vG = NONE; markV(false); maxExec = MAX(maxExec, g); maxOver = MAX(maxOver, g);
#ifndef M_LEASEAFTER
       if :: lease != 0 -> h = lease; lease = 0; leaseLost = true; wake(AGAIN, h, 0, 0) :: else fi; endLast();
#else
       if :: lease != 0 -> pendingDel = lease; leaseLost = true :: else fi;
#endif
       broadcast(g, p); rep[p]!who,OK_,0,0,0
    :: k == SET_ ->
       if :: REFUSED(who) -> rep[p]!who,LOST,0,0,0
          :: else ->
             if :: setDead[who-110] -> g = ghostN[who-110]; must(g >= maxOver) :: else -> db++; g = db fi;
             maxExec = g; maxOver = g; vG = g; vStale = false; vTok = t; markV(false);
#ifndef CLUSTER
             granted[t] = r;
#endif
             if :: lease != 0 -> h = lease; lease = 0; leaseLost = true; wake(VAL, h, g, t) :: else fi; endLast();
             broadcast(g, p); rep[p]!who,OK_,g,0,0
       fi
#ifdef EXPIRES
    :: k == EXP_ ->
       maxX = MAX(maxX, g); maxOver = MAX(maxOver, g);
       if :: vG != NONE && !ISMARK -> vStale = true :: vG = NONE; vStale = false; markV(false) fi; /* it has a window or none */
#ifndef M_EXPLEASE
       if :: lease != 0 -> h = lease; lease = 0; leaseLost = true; wake(AGAIN, h, 0, 0) :: else fi; endLast();
#endif
       broadcastX(g, p); rep[p]!who,OK_,0,0,0
    :: k == TAGX ->
#ifndef M_EXPTAG
       i = 0; do :: i <= MAXTOK -> if :: granted[i] -> badX[i] = true :: else fi; i++ :: else -> break od;
#endif
       maxX = MAX(maxX, g);
       broadcastT(TAGXC, g, p); TREP[p]!who,OK_,0,0,0
#endif
    :: k == TAG ->
       i = 0; do :: i <= MAXTOK -> if :: granted[i] -> bad[i] = true :: else fi; i++ :: else -> break od;
       maxExec = MAX(maxExec, g);
       broadcastT(TAGC, g, p); TREP[p]!who,OK_,0,0,0
    :: k == OTHERTAG -> broadcastT(OTHERC, 0, p); TREP[p]!who,OK_,0,0,0
    :: k == NEEDNOW -> granted[t] = true; TREP[p]!who,OK_,0,0,0
    :: k == NEEDTAG || k == CHECKTAG -> if :: bad[t] -> TREP[p]!who,INVALID,0,0,0 :: else -> TREP[p]!who,OK_,0,0,0 fi
    fi;
    k = 0; who = 0; t = 0; g = 0; r = 0; h = 0; i = 0
  }
}

byte pendingDel = 0;
/* TRACE: Redis, and all that goes on, follow what was seen of a real one (replay.pml) */
#ifdef TRACE
#define ACTIVE
#else
#define ACTIVE active
#endif
ACTIVE proctype Redis() {
  mtype k; byte who, t, g, h, i; bool r; byte e = 0, el = 0, ve = 0, ev = 0;
end: do
  :: atomic { req[0]?k,who,t,g,r -> execute(0) }
  :: atomic { req[1]?k,who,t,g,r -> execute(1) }
#ifdef CLUSTER
  :: atomic { reqT[0]?k,who,t,g,r -> execute(0) }
  :: atomic { reqT[1]?k,who,t,g,r -> execute(1) }
#endif
#ifdef M_LEASEAFTER
  :: atomic { pendingDel != 0 -> if :: lease == pendingDel -> lease = 0; leaseLost = true; wake(AGAIN, pendingDel, 0, 0) :: else fi; pendingDel = 0; last = 0; i = 0 }
#endif
#ifdef TRACKING
  :: atomic { trk[0] != 0 -> if :: subUp[0] -> sub[0]!TRK,0,trk[0],0 :: else fi; trk[0] = 0 }
  :: atomic { trk[1] != 0 -> if :: subUp[1] -> sub[1]!TRK,0,trk[1],0 :: else fi; trk[1] = 0 }
#endif
#ifdef M_REPLICA
  :: atomic { lagG != vG || lagStale != vStale -> lagG = vG; lagStale = vStale }
#endif
  /* expiry, eviction */
  :: atomic { lease != 0 && (e < NLEXP || lease == deadTok) -> if :: lease != deadTok -> e++ :: else fi; lease = 0; leaseLost = true }
#if NLEXP > 0
  :: atomic { lease == 0 && last != 0 && el < 1 -> el++; last = 0 }
#endif
  :: atomic { vG != NONE && ve < NVEXP -> ve++; if :: vG = NONE; vStale = false; markV(false) :: !vStale && !ISMARK -> vStale = true fi }
  :: atomic { l1[0] != NONE && ev < NEVICT -> ev++; dropL1(0) }
  :: atomic { l1[1] != NONE && ev < NEVICT -> ev++; dropL1(1) }
  od
}

#ifdef M_NOKEPT
#define KEEPS false
#else
#define KEEPS true
#endif
#ifdef M_CLUSTERSTALE
#define CHECKS(st) ((st) == FRESH)
#else
#define CHECKS(st) true
#endif
#define BOX(k) ((k) == VAL -> 1 : ((k) == PASSING -> 3 : 2))

/* ---- the inbox of a process ---- */
proctype Listener(byte p) {
  mtype k; byte t, g, v, f;
end: do
  :: atomic { sub[p]?k,t,g,v -> goto got }
#ifdef CLUSTER
  :: atomic { subT[p]?k,t,g,v -> goto got }
#endif
  /* the connection is lost, at once for Redis, later for the process; what is under way is lost too */
  :: atomic { disc < NDISC && subUp[p] -> disc++; subUp[p] = false; noticed[p] = false;
       do :: sub[p]?k,t,g,v :: empty(sub[p]) -> break od;
#ifdef CLUSTER
       do :: subT[p]?k,t,g,v :: empty(subT[p]) -> break od;
#endif
       k = 0; t = 0; g = 0; v = 0 }
  /* `close`: not ready any more, those who wait look for themselves (inbox.ts, #lost) */
  :: atomic { !subUp[p] && !noticed[p] -> noticed[p] = true; ready[p] = false; goto reset }
  /* SUBSCRIBE is carried out … */
  :: atomic { !subUp[p] && noticed[p] && gapN[p] == NONE -> subUp[p] = true; gapN[p] = maxExec; noteExpiries(p) }
  /* … and its answer taken in (inbox.ts, #subscribe) */
  :: atomic { gapN[p] != NONE && subUp[p] -> ready[p] = true; takeGap(p);
       known[p] = MAX(known[p], gapN[p]); gapExpiries(p); gapN[p] = NONE; goto reset }
  od;
got: atomic {
    if
    :: k == CHG ->
#ifdef M_NOREVOKE
       dropL1(p); noSet(p);
#else
       forget(p);
#endif
       known[p] = MAX(known[p], g)
    :: k == TRK ->
#ifdef M_TRACKREAD
       dropL1(p);
#else
       forget(p);
#endif
       known[p] = MAX(known[p], g)
    :: k == TAGC -> forgetTagged(p); known[p] = MAX(known[p], g)
    :: k == OTHERC -> forgetOther(p)
#ifdef EXPIRES
    :: k == EXPC -> expire(p); knownX[p] = MAX(knownX[p], g)
    :: k == TAGXC -> expireTagged(p); knownX[p] = MAX(knownX[p], g)
#endif
    :: else ->      /* a message to those who wait for the refill under token t */
       f = 0; do :: f < NF ->
         if :: f / FPP == p && lis[f] != 0 && lis[f] == t -> mboxK[f] = BOX(k); mboxG[f] = g; mboxT[f] = v
            :: f / FPP == p && lis[f] == 0 && asking[f] && KEEPS -> keptM[f] = keptM[f] | (1 << t); msgK[p*TK+t] = BOX(k); msgG[p*TK+t] = g; msgT[p*TK+t] = v
            :: else fi; f++ :: else -> break od
    fi; k = 0; t = 0; g = 0; f = 0; v = 0; goto end }
reset: atomic { f = 0; do :: f < NF -> if :: f / FPP == p && (lis[f] != 0 || asking[f]) -> intr[f] = true :: else fi; f++ :: else -> break od; f = 0; goto end }
}

/* ---- one flight ---- */
#define unjoin() if :: cur[p] == f -> cur[p] = NOFL :: else fi
#define noBox() mboxK[f] = 0; mboxG[f] = 0; mboxT[f] = 0
inline finish() { unjoin(); lis[f] = 0; asking[f] = false; intr[f] = false; noBox(); keptM[f] = 0; noAsk(f); gS[f] = 0; settled[f] = false;
  revoked[f] = true; tagged[f] = false; gap[f] = false; gapC[f] = false; tok = 0; g = 0; h = 0; st = 0 }
/* the callers get what there is; nobody joins any more */
inline settleWith() { if :: settled[f] :: else -> SERVE(f,g); settled[f] = true; gS[f] = g fi;
#ifndef M_LATEJOIN
  unjoin()
#endif
}
inline keep() { if :: MAYKEEP(f) -> putL1(p,g,NOFL) :: else fi }
/* a stale value: callers get it, memory keeps it if it has nothing (refill.ts, #offerStale) */
inline offer() { if :: l1[p] == NONE && MAYKEEP(f) -> putL1(p,g,NOFL); markL1(p,true) :: else fi;
  STALE(f,g); settled[f] = true; gS[f] = g;
#ifndef M_LATEJOIN
  unjoin()
#endif
}

proctype Flight(byte f) {
  byte p = f / FPP; byte tok, g, h; mtype st;
#ifdef CLUSTER
  byte v; mtype valid;
#endif
  /* a miss in memory, and nothing under way that may be joined (read-path.ts, #joinOrStart) */
end:
  if
  /* forced: nobody joins it, and what was asked for before is not kept (local.ts, overtake) */
  :: atomic { f == FORCE && (f % FPP == 0 || begun[f-1]) -> begun[f] = true; noSet(p); need[f] = db;
       revoked[p*FPP] = true; revoked[p*FPP+FPP-1] = true; revoked[f] = false; tagged[f] = false; gap[f] = false; goto end_claim }
  :: atomic { f != FORCE && cur[p] == NOFL && (l1[p] == NONE || L1STALE(p)) && (f % FPP == 0 || begun[f-1]) -> begun[f] = true; cur[p] = f; ASKS(f,p);
       revoked[f] = false; tagged[f] = false; gap[f] = false;
#ifdef LOOKS
       if :: req[p]!GET,f,0,0,0 :: goto end_claim fi }
  atomic { rep[p]?eval(f),st,g,_,_ ->
       if :: st == FRESH -> keep(); settleWith(); finish(); goto done
          :: else -> goto end_claim fi }
#else
       goto end_claim }
#endif
  fi;
end_claim: atomic { nexttok < MAXTOK -> nexttok++; tok = nexttok; asking[f] = true; intr[f] = false; keptM[f] = 0; tagged[f] = false;
       if :: f == FORCE -> forcedTok = tok; req[p]!TAKE,f,tok,0,ready[p] :: else -> req[p]!CLAIM,f,tok,0,ready[p] fi }
#ifdef CLUSTER
  /* the tags of whatever value came along are checked first (redis-store.ts, #understand) */
  atomic { rep[p]?eval(f),st,g,h,v -> if :: g != NONE && CHECKS(st) -> TREQ[p]!CHECKTAG,f,v,0,0; v = 0; goto check :: else -> v = 0; goto decide fi }
check: atomic { TREP[p]?eval(f),valid,_,_,_ ->
       if :: valid == OK_ -> valid = 0; goto decide
          :: valid != OK_ && st == FRESH -> if :: vG == g -> vG = NONE :: else fi; g = 0; h = 0; st = 0; valid = 0; goto end_claim  /* delete-if-same, claim again */
          :: else -> g = NONE; valid = 0; goto decide fi }
decide: atomic {
#else
  atomic { rep[p]?eval(f),st,g,h,_ ->
#endif
    if
    :: st == FRESH -> asking[f] = false; keep(); settleWith(); finish(); goto done
    :: st == LEASED -> asking[f] = false;
       if :: f == FORCE && g == NONE -> cur[p] = f; goto begin      /* there is nothing better */
          :: f == FORCE && g != NONE -> goto begin
          :: f != FORCE && g != NONE && !settled[f] -> offer(); goto begin
          :: else -> goto begin fi
    :: st == BUSY ->
#ifdef M_REGLATE
       req[p]!REG,f,0,0,0;
#endif
       lis[f] = h; asking[f] = false;
       if :: keptM[f] & (1 << h) -> mboxK[f] = msgK[p*TK+h]; mboxG[f] = msgG[p*TK+h]; mboxT[f] = msgT[p*TK+h] :: else fi; keptM[f] = 0;
       if :: g != NONE && !settled[f] -> offer() :: else fi; g = 0; h = 0; st = 0; goto wait
    fi }
begin: atomic { g = db; h = 0; st = 0; loaders++; assert(loaders <= 1 || leaseLost) }        /* the loader starts */
  if
  :: atomic { crashes < NCRASH -> crashes++; loaders--; deadTok = tok; finish(); goto done }
  :: atomic { loaders--; possible(P_TAGKEPT_ && MAYKEEP(f) && !settled[f] && cur[p] != f); settleWith(); gapC[f] = false;                                       /* it ends; the commit leaves at once */
       if :: STORES && MAYKEEP(f) -> putL1(p,g,f) :: else fi;
#ifdef CLUSTER
       TREQ[p]!NEEDTAG,f,tok,0,0 }
  atomic { TREP[p]?eval(f),st,_,_,_ ->
#ifdef M_GAPNEED
       gapC[f] = false;
#endif
       if :: st == OK_ -> req[p]!(STORES -> SETTLE : DELIVER_),f,tok,g,0 :: else -> req[p]!ABANDON,f,tok,g,0 fi; st = 0 }
#else
       req[p]!(STORES -> SETTLE : DELIVER_),f,tok,g,0 }
#endif
#if NLOADFAIL > 0
  :: atomic { loadFails < NLOADFAIL && !settled[f] -> loadFails++; loaders--; settleWith();
       if :: MAYKEEP(f) -> putL1(p,g,f) :: else fi; req[p]!SETTLE,f,tok,g,1 }
#endif
  fi;
  /* a refused commit takes from memory what it put there; an accepted one from before a gap is kept now */
  atomic { rep[p]?eval(f),st,_,_,_ ->
       if :: st == OK_ -> if :: STORES && gap[f] && !gapC[f] && !revoked[f] && !tagged[f] -> putL1(p,g,NOFL); possible(P_GAPKEPT_) :: l1Of[p] == f -> l1Of[p] = NOFL :: else fi
          :: else ->
             if :: l1Of[p] == f -> dropL1(p) :: else fi
       fi; finish(); goto done }
wait:
  if
#if defined(CLUSTER) && !defined(M_CLUSTERMSG)
  :: atomic { mboxK[f] == 1 || mboxK[f] == 3 -> g = mboxG[f]; lis[f] = 0; TREQ[p]!CHECKTAG,f,mboxT[f],0,0 }
     atomic { TREP[p]?eval(f),st,_,_,_ ->
       if :: st == OK_ && mboxK[f] == 1 -> keep(); settleWith(); finish(); goto done
          :: st == OK_ && mboxK[f] != 1 -> settleWith(); finish(); goto done
          :: else -> g = 0; st = 0; noBox(); intr[f] = false; goto end_claim fi }
#else
  :: atomic { mboxK[f] == 1 -> g = mboxG[f]; keep(); settleWith(); finish(); goto done }
  :: atomic { mboxK[f] == 3 -> g = mboxG[f]; settleWith(); finish(); goto done }
#endif
  :: atomic { mboxK[f] == 2 -> noBox(); lis[f] = 0; intr[f] = false; goto end_claim }
  :: atomic { mboxK[f] == 0 && intr[f] -> intr[f] = false; lis[f] = 0; goto end_claim }
  :: atomic { NTIMER > 0 && (timers < NTIMER || lease != lis[f]) -> if :: timers < NTIMER -> timers++ :: else fi; lis[f] = 0; noBox(); goto end_claim }
  fi;
done: skip
}

/* one more caller: memory has nothing, and he joins what is under way */
proctype Joiner(byte p) {
end: atomic { joins < NJOIN && cur[p] != NOFL && l1[p] == NONE -> joins++; assert(!settled[cur[p]]); ASKS(cur[p],p) }
}

/* ---- changes ---- */
proctype Inval(byte p) {
  byte n; mtype st;
  atomic { db++; n = db; forget(p);
#if NREFUSE > 0
    if :: refusals < NREFUSE -> refusals++; req[p]!UNKNOWN,100,0,0,0 :: req[p]!DEL_,100,0,n,0; goto answer fi }
  atomic { rep[p]?eval(100),st,_,_,_ ->
#endif
    req[p]!DEL_,100,0,n,0 }
answer: atomic { rep[p]?eval(100),st,_,_,_ -> forget(p); known[p] = MAX(known[p], n) }
}

proctype TagInv(byte p) {
  byte n; mtype st;
  atomic { db++; n = db; forgetTagged(p); TREQ[p]!TAG,101,0,n,0 }
  atomic { TREP[p]?eval(101),st,_,_,_ -> forgetTagged(p); known[p] = MAX(known[p], n) }
}

proctype OtherTag(byte p) {
  mtype st;
  atomic { forgetOther(p); TREQ[p]!OTHERTAG,102,0,0,0 }
  atomic { TREP[p]?eval(102),st,_,_,_ -> forgetOther(p) }
}

#ifdef EXPIRES
proctype Expire(byte p) {
  byte n; mtype st;
  atomic { db++; n = db; expire(p); req[p]!EXP_,103,0,n,0 }
  atomic { rep[p]?eval(103),st,_,_,_ -> expire(p); knownX[p] = MAX(knownX[p], n) }
}

proctype TagExp(byte p) {
  byte n; mtype st;
  atomic { db++; n = db; expireTagged(p); TREQ[p]!TAGX,104,0,n,0 }
  atomic { TREP[p]?eval(104),st,_,_,_ -> expireTagged(p); knownX[p] = MAX(knownX[p], n) }
}
#endif

/* own: 110 or 111 */
proctype Setter(byte p; byte own; bool hasTag) {
  byte n, t; mtype st;
  atomic { nexttok < MAXTOK -> nexttok++; t = nexttok; forget(p); beingSet[p] = own; beingSetT[p] = hasTag;
    if :: hasTag ->
#ifdef CLUSTER
          TREQ[p]!NEEDNOW,own,t,0,0; goto stamp
#else
          req[p]!SET_,own,t,0,true; goto answer
#endif
       :: else -> req[p]!SET_,own,t,0,false; goto answer
#if NREFUSE > 0
       :: refusals < NREFUSE -> refusals++; req[p]!UNKNOWN,own,0,0,0; goto again
#endif
    fi };
#ifdef CLUSTER
stamp: atomic { TREP[p]?eval(own),st,_,_,_ -> req[p]!SET_,own,t,0,true; goto answer };
#endif
#if NREFUSE > 0
again: atomic { rep[p]?eval(own),st,_,_,_ -> req[p]!SET_,own,t,0,hasTag };
#endif
answer:
  if
  :: atomic { rep[p]?eval(own),st,n,_,_ ->
       if
#ifdef M_SETKEEPS
       :: true -> forget(p); putL1(p,n,NOFL)
#else
       :: beingSet[p] == own -> forget(p); putL1(p,n,NOFL); possible(P_SETKEPT_ && otherTag)
       :: else ->
#ifdef M_SETNOFORGET
          skip
#else
          forget(p)
#endif
#endif
       fi;
       known[p] = MAX(known[p], n) }
  /* the deadline passes: it is reported as failed; from then on Redis refuses it */
  :: atomic { fails < NFAIL -> fails++; setDead[own-110] = true; ghostN[own-110] = db; forget(p) };
     atomic { rep[p]?eval(own),st,n,_,_ -> n = 0; st = 0 }
  fi
}

/* with tracking: the source changes, and somebody deletes the value by hand while no refill is under way */
proctype Hand() {
end: atomic { lease == 0 -> db++; vG = NONE; vStale = false; maxExec = db; trk[0] = db; trk[1] = db }
}

#define TOOOLD(p) (l1[p] != NONE && (l1[p] < known[p] || TOOSTALE(p)))
ACTIVE proctype Monitor() { end: atomic { TOOOLD(0) || TOOOLD(1) -> assert(false) } }

init {
  byte i = 0;
  atomic {
    do :: i < NP -> subUp[i] = true; ready[i] = true; noticed[i] = true; gapN[i] = NONE;
#ifndef TRACE
      run Listener(i);
#endif
      i++ :: else -> break od;
#ifndef TRACE
    i = 0; do :: i < NF -> revoked[i] = true; if :: i == SKIPF :: else -> run Flight(i) fi; i++ :: else -> break od;
#if NJOIN > 0
    i = 0; do :: i < NP -> run Joiner(i); i++ :: else -> break od;
#endif
#endif
    i = 0;
#ifdef PRE
    vG = 0; granted[0] = true;  /* a fresh value stands in Redis at the start */
#endif
    CHANGES
  }
}
