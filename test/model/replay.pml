/*
 * A Redis that does what a real one was seen to do: the steps that replay.ts writes, one after the other. It carries out each command
 * by `execute` of herd.pml, and goes on only if the answer, and who is told what, are those that were seen. What the model
 * does not allow has no way to the end. Where it is not known which came first, one way to the end is enough. The only
 * assertion fails where the end is reached.
 */
c_decl {
  /* of each step ten bytes, in the file `steps` */
  static unsigned char steps[100000][10];
  static int count = -1, furthest;
  static void tell_furthest(void) { printf("reached step %d\n", furthest); }
  static void read_steps(void) {
    FILE *file = fopen("steps", "rb");
    count = file == NULL ? 0 : (int) fread(steps, 10, 100000, file);
    atexit(tell_furthest);
  }
}
int pc = 0;
byte op, at, tok, val, regs, early, ranOut, answer, mask, kind;
bool replayed = false;

inline empty_redis() {
  d_step {
    vG = NONE; vStale = false; vTok = 0; markV(false); lease = 0; last = 0; maxExec = 0; maxOver = 0;
    i = 0; do :: i < NP -> waiters[i] = false; i++ :: else -> break od;
    i = 0; do :: i < MAXTOK+2 -> granted[i] = false; bad[i] = false; i++ :: else -> break od;
    i = 0 } }

#define COMMAND(o) ((o) == 10 -> CLAIM : ((o) == 11 -> TAKE : ((o) == 12 -> SETTLE : ((o) == 13 -> DELIVER_ : ((o) == 14 -> ABANDON : ((o) == 15 -> DEL_ : ((o) == 16 -> SET_ : TAG)))))))
#define ANSWER(o) ((o) == 1 -> FRESH : ((o) == 2 -> LEASED : ((o) == 3 -> BUSY : ((o) == 4 -> OK_ : ((o) == 5 -> LOST : INVALID)))))
#define ENDS(o) ((o) >= 12 && (o) <= 14)

proctype Trace() {
  mtype k, st, said; byte who, t, g, h, i, told; bool r, wasStale, wasMark;
  c_code { read_steps(); };
  do
  :: atomic { c_expr { now.pc == count } -> replayed = true; assert(!replayed) }
  :: atomic { c_expr { now.pc < count } ->
       c_code {
         const unsigned char *row = steps[now.pc];
         if (now.pc > furthest) furthest = now.pc;
         now.op = row[0]; now.at = row[1]; now.tok = row[2]; now.val = row[3]; now.regs = row[4]; now.early = row[5];
         now.ranOut = row[6]; now.answer = row[7]; now.mask = row[8]; now.kind = row[9];
       };
       if
       :: op == 0 -> empty_redis()
       /* time has passed, or may have: at that moment it is not known which comes first */
       :: op == 1 -> if :: lease != 0 -> leaseLost = true; lease = 0 :: else fi
       :: op == 2 -> if :: lease != 0 -> leaseLost = true; lease = 0 :: true fi
       :: op == 3 -> if :: vG != NONE -> vStale = true :: else fi
       :: op == 4 -> if :: vG != NONE -> vStale = true :: true fi
       :: op == 5 -> vG = NONE; vStale = false; markV(false)
       :: op == 6 -> if :: vG = NONE; vStale = false; markV(false) :: true fi
       /* a lease that is missing before its time was deleted by somebody, who wants no commit (isStillGood, end-refill.ts) */
       :: ENDS(op) && ranOut == 0 && lease != tok -> (answer == 5)
       :: op >= 10 && !(ENDS(op) && ranOut == 0 && lease != tok) ->
          k = COMMAND(op); who = 100; t = tok; g = val; r = regs; wasStale = vStale;
          if :: op == 16 -> who = 110; db = val - 1
             :: op == 12 && r -> g = maxOver     /* a failure has no number */
             :: else fi;
          /* to whom it is not fresh enough it is a stale value, a failure, too: it stays */
          wasMark = ISMARK;
          if :: early == 1 && vG != NONE -> vStale = true; markV(false) :: else fi;
          execute(at);
          rep[at]?_,st,_,_,_;
          if :: early == 1 && vG != NONE -> vStale = wasStale; markV(wasMark) :: else fi;
          (!broken && (answer == 0 || st == ANSWER(answer)));
          told = 0;
          do
          :: i < NP ->
             do :: sub[i]?said,_,_,_ -> if :: said == VAL || said == PASSING || said == AGAIN -> told = told | (1 << i); (kind == 0 || (kind == 1) == (said != AGAIN)) :: else fi
                :: empty(sub[i]) -> break od;
             i++
          :: else -> break od;
          (told == mask)
       fi;
       k = 0; st = 0; said = 0; who = 0; t = 0; g = 0; h = 0; i = 0; told = 0; r = false; wasStale = false; wasMark = false;
       pc++ }
  od
}
