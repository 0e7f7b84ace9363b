/*
 * A shared stream of one key: NT runs of its producer, each in a process of its own, a reader in another, and one Redis. A run
 * may be stopped, killed or overtaken at any moment, and what it has sent may arrive long after that.
 *
 * What stands for what (files of src/):
 *   begin, append     redis/scripts/{stream-begin,stream-append}.ts; each command runs in one step
 *   lease, present    the lease of the entry, and the run that is the entry's own now
 *   size, log         the log of a run, under its token: its chunks, then the end
 *   head, notes       the head of that log: the run that it began as, and from how many chunks others have gone on with it
 *   alive             its producer has given a sign of life
 *   req, rep          the connection of a producer. A command is sent again if no answer comes in time
 *   Run               cache/stream/production.ts and stream/appender.ts; its number is its token
 *   Reader            cache/stream/following.ts, stream/relay.ts, stream/resumed.ts: by messages (sub), and by reading the log
 *   Time              leases and signs of life run out: of those who are gone, and LAPSES times of the living
 *   Failover          the replica that is promoted has not got the last chunk
 *   Change            redis/scripts/overwrite.ts, invalidate: it deletes lease and present, and the run goes on for its readers
 *
 * A chunk is known by the run that has made it and by its number. past: what a run goes on from, up to chunk number `since`.
 *
 * Properties
 *   1  What a reader has got is always the copy of one run: what that goes on from, then its own chunks. So nothing is
 *      missing, nothing comes twice, and bytes of two runs are never mixed.
 *   2  Whoever is told the end has had all chunks.
 *   3  The present run appends nothing more once another process has its lease.
 *   4  Whoever begins to read after a change gets nothing from before it.
 *   5  Where a stream is resumed, a reader is told that its producer is lost after a change or a failover only.
 */
#ifndef NT
#define NT 2
#endif
#ifndef LEN
#define LEN 2           /* chunks of the stream */
#endif
#ifndef CRASHES
#define CRASHES 1       /* producers that are killed */
#endif
#ifndef LAPSES
#define LAPSES 1        /* leases and signs of life of living producers that run out */
#endif
#ifndef AGAINS
#define AGAINS 1        /* commands that are sent again, although they have arrived or will */
#endif
#ifndef UNHEARD
#define UNHEARD 0       /* messages that are lost */
#endif
#ifdef RESUME
#define RESUMES true    /* onProducerLost: 'resume' */
#else
#define RESUMES false
#endif
#define NONE 255
#define FRAMES (LEN+1)
#define CHUNK(whose,i) ((whose)*8+(i))
#define MAKER(c) ((c)/8)
#define ISEND(c) ((c)%8 == LEN)
#define LOG(whose,i) log[(whose)*FRAMES+(i)]
#define PAST(whose,i) past[(whose)*FRAMES+(i)]
#define NOTE(whose,i) notes[(whose)*NT+(i)]

mtype = { BEGIN, APPEND, RELEASE, OK_, LOST };

/* ---- Redis ---- */
byte lease = 0, present = 0;
byte size[NT+1] = NONE;         /* NONE: there is no log */
byte log[(NT+1)*FRAMES];
byte head[NT+1], notes[(NT+1)*NT], noted[NT+1];
bool alive[NT+1];
byte listens = 0;               /* the run of which the reader gets messages */
/* ---- connections ---- */
chan req[NT+1] = [3] of { mtype, byte, byte };  /* command, attempt, number of the frame */
chan rep[NT+1] = [1] of { mtype, byte };        /* answer, chunks that there are */
byte attempt[NT+1];             /* the last one: who waits for it takes no other answer */
chan sub = [8] of { byte, byte, byte };         /* run, number, chunk; number NONE: look */
/* ---- processes ---- */
bool started[NT+1], gone[NT+1];
byte crashes = 0, lapses = 0, agains = 0, unheard = 0, failovers = 0;
/* ---- what is promised ---- */
byte since[NT+1], past[(NT+1)*FRAMES];
bool overtaken[NT+1];           /* another process has got the lease while this was the present run */
byte db = 0, known = 0, version[NT+1];

inline answer(what, count) {
  if :: n == attempt[t] -> rep[t]!what,count :: else fi }

inline tell(whose, number, chunk) {
  if :: listens == whose && unheard < UNHEARD -> unheard++
     :: listens == whose -> assert(nfull(sub)); sub!whose,number,chunk
     :: listens != whose fi }

inline unlink(whose) {
  i = 0; do :: i < FRAMES -> LOG(whose,i) = 0; i++ :: else -> break od;
  i = 0; do :: i < NT -> NOTE(whose,i) = 0; i++ :: else -> break od; i = 0;
  size[whose] = NONE; head[whose] = 0; noted[whose] = 0 }

/* t takes over the log of another run, and notes from where it goes on. */
inline rename(whose) {
  i = 0; do :: i < size[whose] -> LOG(t,i) = LOG(whose,i); PAST(t,i) = LOG(whose,i); i++ :: else -> break od;
  i = 0; do :: i < noted[whose] -> NOTE(t,i) = NOTE(whose,i); i++ :: else -> break od;
  size[t] = size[whose]; head[t] = head[whose]; noted[t] = noted[whose]; since[t] = size[whose];
#if !defined(M_UNNOTED) && !defined(M_MIXED)
  NOTE(t,noted[t]) = size[whose]; noted[t]++;
#endif
  unlink(whose) }

inline begin() {
  if :: lease != t -> answer(LOST, 0)
     :: else ->
        if :: present != 0 && present != t ->
              alive[present] = false;
              if :: RESUMES && size[present] != NONE -> rename(present) :: else -> unlink(present) fi;
              tell(present, NONE, 0)
           :: else fi;
        if :: size[t] == NONE -> size[t] = 0; head[t] = t :: else fi;
#ifdef M_REVIVED
        alive[t] = true; present = t;
#else
        alive[t] = (present != t || alive[t]); present = t;
#endif
        answer(OK_, size[t]) fi }

/* The fence. */
#ifdef M_NOLEASE
#define ISOVERTAKEN false
#else
#define ISOVERTAKEN (present == t && lease != t)
#endif
#ifdef M_HOLE
#define ISMISSING (size[t] == NONE)
#else
#define ISMISSING (size[t] == NONE || size[t] < at)
#endif
#if defined(M_UNFENCED) || defined(M_MIXED)
#define ISREFUSED false
#else
#define ISREFUSED (!alive[t] || ISOVERTAKEN || ISMISSING)
#endif
#ifdef M_TWICE
#define HASIT false
#else
#define HASIT (size[t] != NONE && size[t] > at)
#endif

inline append() {
  if :: ISREFUSED -> alive[t] = false; answer(LOST, 0)
     :: else ->
        if :: !HASIT ->
#ifndef M_MIXED         /* its readers are to notice it */
              assert(!overtaken[t]);
#endif
              if :: size[t] != NONE && size[t] < FRAMES -> LOG(t,size[t]) = CHUNK(t,at); size[t]++ :: else fi;
              tell(t, at, CHUNK(t,at))
           :: else fi;
        if :: at == LEN -> alive[t] = false; if :: present == t -> present = 0 :: else fi :: else fi;
        answer(OK_, 0) fi }

/* It gives up, and leaves what there is to the next, or to nobody; then its lease. */
inline release() {
  if :: alive[t] && !ISOVERTAKEN ->
        alive[t] = false; tell(t, NONE, 0);
        if :: !RESUMES -> unlink(t); if :: present == t -> present = 0 :: else fi :: else fi
     :: else fi;
  if :: lease == t -> lease = 0 :: else fi }

/* Redis carries out what a producer has sent, in that order, whether it lives or not. */
proctype Link(byte t) {
  mtype k; byte n, at, i = 0;
end: do
  :: atomic { req[t]?k,n,at ->
       if :: k == BEGIN -> begin() :: k == APPEND -> append() :: k == RELEASE -> release() fi;
       k = 0; n = 0; at = 0 }
  od
}

proctype Time(byte t) {
end: do
  :: atomic { lease == t && (gone[t] || lapses < LAPSES) -> lapses = (gone[t] -> lapses : lapses + 1); lease = 0 }
  :: atomic { alive[t] && (gone[t] || lapses < LAPSES) -> lapses = (gone[t] -> lapses : lapses + 1); alive[t] = false }
  od
}

/* ---- a producer ---- */
#define send(command) attempt[t]++; req[t]!command,attempt[t],next
inline ask(command) {
  send(command);
  do
  :: atomic { rep[t]?said,count -> break }
  :: atomic { agains < AGAINS && nfull(req[t]) -> agains++; if :: rep[t]?_,_ :: empty(rep[t]) fi; send(command) }
  :: atomic { crashes < CRASHES -> crashes++; goto over }
  od }

proctype Run(byte t) {
  byte next = 0, count = 0; mtype said = 0;
  /* it gets the lease by a claim; runs are alike, so they begin in the order of their numbers */
end: atomic { lease == 0 && started[t-1] -> started[t] = true; lease = t;
       if :: present != 0 -> overtaken[present] = true :: else fi }
  ask(BEGIN);
  atomic { if :: said == LOST -> goto over :: else -> next = count; version[t] = db; count = 0; said = 0 fi };
  do
  :: next <= LEN -> ask(APPEND); atomic { if :: said == LOST -> goto over :: else -> said = 0; next++ fi }
  :: next > LEN -> atomic { if :: lease == t -> lease = 0 :: else fi; goto over }
  :: next <= LEN -> atomic { send(RELEASE); goto over }
  od;
over: atomic { gone[t] = true; next = 0; count = 0; said = 0 }
}

/* ---- a reader ---- */
/* Something good that a check must meet; it is reported like a broken promise. */
#ifdef P_RESUMED
#define P_RESUMED_ true
#else
#define P_RESUMED_ false
#endif
#define possible(what) assert(!(what))
/* What has come must go with what is there. */
inline take(chunk) {
  assert(have < FRAMES && chunk%8 == have);
  got[have] = chunk; i = 0;
  do :: i <= have -> assert(got[i] == (i < since[MAKER(chunk)] -> PAST(MAKER(chunk),i) : CHUNK(MAKER(chunk),i)));
                     assert(version[MAKER(got[i])] >= need); i++
     :: else -> break od; i = 0;
  if :: ISEND(chunk) -> possible(P_RESUMED_ && MAKER(got[0]) != MAKER(chunk)); goto over
     :: else -> have++ fi }

#ifdef M_ANYRUN
#define GOESON true
#else
#define GOESON (head_ == began && have <= least)
#endif
#ifdef M_GAP
#define ISNEXT (number != NONE)
#else
#define ISNEXT (number == have)
#endif

proctype Reader() {
  byte f = 0;                           /* the run that is followed */
  bool live = false, lost = true;
  byte have = 0, got[FRAMES];           /* what has come */
  byte began = 0, resumptions = 0;      /* as which run that began, and how often it had been taken over by then */
  byte need, number, chunk, from, i = 0;
  bool reads = false, alive_;           /* the answer to a read, on its way */
  byte size_, head_, noted_, least, log_[FRAMES];
end: atomic { need = known };
end_wait: do
  /* the claim is told who has the lease */
  :: atomic { (lost || !live) && !reads && lease != 0 && lease != f -> f = lease; live = false; lost = false; listens = 0 }
  /* for a message, or because it is time */
  :: d_step { !lost && !reads -> reads = true; listens = f; alive_ = alive[f]; size_ = size[f]; head_ = head[f]; noted_ = noted[f];
       least = NONE; i = (live -> NT : resumptions);
       do :: i < noted_ -> least = (NOTE(f,i) < least -> NOTE(f,i) : least); i++ :: else -> break od; i = 0;
       do :: size_ != NONE && i < size_ -> log_[i] = LOG(f,i); i++ :: else -> break od; i = 0 }
  :: atomic { reads -> reads = false;
       if
       :: size_ == NONE -> lost = live
       :: size_ != NONE && size_ < FRAMES && !alive_ -> lost = true
       :: else ->
          if :: live
             :: !live && have > 0 && !(GOESON) -> assert(!RESUMES || db > 0 || failovers > 0); goto over
             :: !live && (have == 0 || (GOESON)) -> live = true; began = head_; resumptions = noted_
          fi;
          do :: have < size_ -> take(log_[have]) :: else -> break od
       fi;
       if :: lost -> listens = 0 :: else fi;
       goto forget }
  :: atomic { sub?from,number,chunk -> if :: from == f && live && !lost && ISNEXT -> take(chunk) :: else fi; from = 0; number = 0; chunk = 0 }
  od;
forget: atomic { alive_ = false; size_ = 0; head_ = 0; noted_ = 0; least = 0;
    do :: i < FRAMES -> log_[i] = 0; i++ :: else -> break od; i = 0; goto end_wait };
over: listens = 0
}

/* ---- what happens ---- */
proctype Change() {
  db++;
  d_step { lease = 0; overtaken[present] = false;
#ifndef M_STILLPRESENT
    present = 0
#endif
  };
  known = db
}

proctype Failover(byte t) {
end: atomic { alive[t] && size[t] != NONE && size[t] > 0 && size[t] < FRAMES -> failovers++; size[t]--; LOG(t,size[t]) = 0 }
}

init {
  byte i = 1;
  atomic {
    started[0] = true;
    do :: i <= NT -> run Link(i); run Time(i); run Run(i); i++ :: else -> break od;
    run Reader();
    CHANGES
  }
}
