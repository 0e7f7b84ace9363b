/*
 * The slots in which loads run, and the line of those who wait for one: NP processes, NL loads, MAX slots, one Redis.
 *
 * What stands for what (files of src/):
 *   Redis             redis/scripts/{slots,slot-functions,claim}.ts; each command runs in one step
 *   want, finish      the commands of a process that ask for a slot and give one up. They may overtake each other: those of
 *                     one batch are carried out in another order, and a script that Redis does not know is sent again
 *   rep, sub          replies, and messages on the connection of the inbox, which may overtake them
 *   Load              cache/shared/load-limit.ts (slotFor) and store/slot-line.ts (take, leave, note): one load, one token
 *   Listener          store/slot-line.ts: a message for a token in line; unheard: one for a token that nobody knows
 *   Crash             the process is killed: its loads vanish, and what it holds ends by time
 *   CrashInLine       the same while it holds nothing and asks for nothing: nobody needs a timer then
 *   Disconnect        its subscriber is lost, and comes back: what was sent in between is lost; all in line look then
 *   Freeze            its slots end by time although it lives: its loads go on, its places are lost
 *   TIMERS            so many times each of those in line looks when slots should have ended
 *
 * Properties
 *   1  No more than MAX loads run, unless a living process was frozen beyond its slots' time.
 *   2  Who waits in a living process gets a slot, or leaves. Without faults he needs no timer.
 *   3  When all is over no living process has a slot or a place in line.
 */
#ifndef NP
#define NP 2
#endif
#ifndef NL
#define NL 3
#endif
#ifndef MAX
#define MAX 1
#endif
#ifndef NLEAVE
#define NLEAVE 1        /* loads that give up waiting */
#endif
#ifndef NLOST
#define NLOST 0         /* commands of those who give up that Redis does not get */
#endif
#define OWN(l) ((l) % NP)

mtype = { HELD, INLINE, ASKING, WAITING, RUNNING, GONE };

/* ---- Redis ---- */
bool held[NL]; byte nHeld = 0;
chan line = [NL] of { byte };
/* ---- connections ---- */
chan want[NP] = [4] of { byte };
chan finish[NP] = [8] of { byte };
chan rep[NP] = [4] of { byte, mtype };
chan sub[NP] = [4] of { byte };
bool up[NP] = true;     /* messages arrive */
bool dead[NP];
bool ended[NP];         /* the time of what it held is over */
/* ---- processes ---- */
mtype phase[NL] = ASKING;
bool told[NL];          /* a slot was handed on to it */
bool again[NL];         /* it is to look: messages may have been missed */
byte running = 0, leaves = 0, lost = 0;
bool over = false;      /* a living process has lost a slot by time */

/* Whoever cannot be reached, or has let a slot run out, loses the places of his process. */
inline dropPlaces(q) {
  i = 0;
  do :: i < NL -> if :: OWN(i) == q && line??[eval(i)] -> line??eval(i) :: else fi; i++
     :: else -> break od; i = 0
}

inline handOn() {
  do
#ifdef M_FULL
  :: nHeld <= MAX && len(line) > 0 -> line?t;
#else
  :: nHeld < MAX && len(line) > 0 -> line?t;
#endif
     if
#ifndef M_UNREACHED
     :: !up[OWN(t)] || dead[OWN(t)] -> dropPlaces(OWN(t))
     :: else -> held[t] = true; nHeld++; sub[OWN(t)]!t
#else
     :: held[t] = true; nHeld++; if :: up[OWN(t)] && !dead[OWN(t)] -> sub[OWN(t)]!t :: else fi
#endif
     fi; t = 0
  :: else -> break od; t = 0
}

inline free(l) {
  if :: held[l] -> held[l] = false; nHeld-- :: line??[eval(l)] -> line??eval(l) :: else fi
}

/* Slots whose time is over. */
inline reap() {
#ifdef M_NOREAP
  skip
#else
  j = 0;
  do :: j < NL -> if :: held[j] && ended[OWN(j)] -> held[j] = false; nHeld--; dropPlaces(OWN(j)) :: else fi; j++
     :: else -> break od; j = 0
#endif
}

inline execWant(p) {
  want[p]?l;
  reap();
  handOn();
  if
  :: held[l] -> rep[p]!l,HELD
  :: !held[l] && nHeld < MAX -> if :: line??[eval(l)] -> line??eval(l) :: else fi; held[l] = true; nHeld++; rep[p]!l,HELD
  :: else -> if :: line??[eval(l)] :: else -> line!l fi; rep[p]!l,INLINE
  fi; l = 0
}

inline execFinish(p) {
  finish[p]?l;
  free(l); l = 0;
#ifndef M_NOHANDON
  handOn()
#endif
}

active proctype Redis() {
  byte i = 0, j = 0, t = 0, l = 0;
end:
  do
  :: d_step { len(want[0]) > 0 -> execWant(0) }
  :: d_step { len(want[1]) > 0 -> execWant(1) }
  :: d_step { len(finish[0]) > 0 -> execFinish(0) }
  :: d_step { len(finish[1]) > 0 -> execFinish(1) }
  od
}

proctype Listener(byte p) {
  byte t = 0;
end:
  do
  :: atomic { sub[p]?t ->
       if
       :: dead[p] || phase[t] == RUNNING
       :: !dead[p] && phase[t] == WAITING -> told[t] = true
#ifdef M_SLOTKEPT
       :: !dead[p] && phase[t] == ASKING
#else
       :: !dead[p] && phase[t] == ASKING -> told[t] = true   /* it has overtaken the reply */
#endif
#ifdef M_UNHEARD
       :: !dead[p] && phase[t] == GONE
#else
       :: !dead[p] && phase[t] == GONE -> finish[p]!t        /* nobody wants it any more */
#endif
       fi; t = 0 }
  od
}

proctype Load(byte l) {
  byte p = OWN(l); mtype st = 0; bool asked = true; byte looks = 0;
  {
    want[p]!l;
    do
    :: atomic { rep[p]??eval(l),st -> asked = false;
         if :: st == HELD || told[l] -> st = 0; goto begin :: else -> st = 0; phase[l] = WAITING; break fi }
    :: atomic { leaves < NLEAVE -> leaves++; phase[l] = GONE; finish[p]!l; goto gone }
    od;
wait:
    do
    :: atomic { told[l] -> goto begin }
    :: atomic { asked && rep[p]??[eval(l),st] -> rep[p]??eval(l),st; asked = false;
#ifndef M_LOOKEDFOR
         if :: st == HELD -> st = 0; goto begin :: else -> st = 0 fi
#else
         st = 0
#endif
       }
    :: atomic { !asked && again[l] -> again[l] = false;
#ifndef M_NORESET
         asked = true; want[p]!l
#endif
       }
#ifdef TIMERS
    :: atomic { looks < TIMERS && !asked && !told[l] && (ended[0] || ended[1]) -> looks++; asked = true; want[p]!l }
#endif
    :: atomic { leaves < NLEAVE -> leaves++; phase[l] = GONE;
#ifndef M_LEFTINLINE
         if :: lost < NLOST && !told[l] -> lost++ :: finish[p]!l fi;
#endif
         goto gone }
    od;
begin:
    atomic { phase[l] = RUNNING; running++; assert(running <= MAX || over) };
#ifdef M_EARLY
    finish[p]!l;
    atomic { running--; phase[l] = GONE };
#else
    atomic { running--; phase[l] = GONE; finish[p]!l };
#endif
gone:
    if
    :: !asked
    :: atomic { asked && rep[p]??[eval(l),st] -> rep[p]??eval(l),st; st = 0; asked = false;
#ifndef M_LATEREPLY
         finish[p]!l     /* what it was given, or has joined, after it left */
#endif
       }
    fi
  } unless { dead[p] }
}

proctype Crash(byte p) {
  byte i = 0;
  d_step {
    dead[p] = true;
    do :: i < NL -> if :: OWN(i) == p && phase[i] == RUNNING -> running-- :: else fi;
          if :: OWN(i) == p -> phase[i] = GONE :: else fi; i++
       :: else -> break od; i = 0
  }
  ended[p] = true
}

proctype CrashInLine(byte p) {
  byte i = 0;
  d_step {
    do :: i < NL -> if :: OWN(i) == p && (held[i] || phase[i] == RUNNING || phase[i] == ASKING) -> break :: else -> i++ fi
       :: else -> break od;
    if
    :: i == NL && len(want[p]) == 0 -> dead[p] = true; i = 0;
       do :: i < NL -> if :: OWN(i) == p -> phase[i] = GONE :: else fi; i++ :: else -> break od
    :: else
    fi; i = 0
  }
}

proctype Disconnect(byte p) {
  byte i = 0, t = 0;
  d_step { up[p] = false; do :: len(sub[p]) > 0 -> sub[p]?t :: else -> break od; t = 0 }
  d_step { up[p] = true;
    do :: i < NL -> if :: OWN(i) == p -> again[i] = true :: else fi; i++ :: else -> break od; i = 0 }
}

proctype Freeze(byte p) {
  byte i = 0, j = 0, t = 0;
  d_step {
    do :: j < NL -> if :: held[j] && OWN(j) == p -> held[j] = false; nHeld--; over = true :: else fi; j++
       :: else -> break od; j = 0;
    if :: over -> dropPlaces(p); ended[p] = true :: else fi;
    handOn()
  }
}

/* When nothing can happen any more. */
active proctype Monitor() {
  byte i = 0;
  d_step { timeout ->
    do
    :: i < NL ->
       assert(dead[OWN(i)] || phase[i] == GONE);
       assert(dead[OWN(i)] || (!held[i] && !line??[eval(i)]));
       i++
    :: else -> break od; i = 0
  }
}

init {
  byte i = 0;
  atomic {
    do :: i < NP -> run Listener(i); i++ :: else -> break od; i = 0;
    do :: i < NL -> run Load(i); i++ :: else -> break od; i = 0;
    CHANGES
  }
}
