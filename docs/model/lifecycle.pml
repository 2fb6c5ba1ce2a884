/* The life of ONE execution, as Ciclo's code makes it. README.md says how to run
 * and read this. Each atomic block is one statement or one transaction on the
 * database, named for its Go function, or one step in a process's memory.
 *
 * Faults are budgeted (FT), so a run must end: "stuck for ever" is an invalid end
 * state (the monitor waits for a final status and nothing can move any more).
 *
 *   -DFT=n      faults: kill, pause, freeze, stop, outage, lost answer, late
 *               claim, cancel, deadline, a River row finished, made available
 *               again or deleted
 *   -DNRP=n     orchestrators, each with a reaper (1 or 2)
 *   -DNS=n      2: one River slot a worker; 3: worker 0 has two
 *   -DSTEPS=n   steps (transactions of an attempt that hold the execution)
 *   -DIDLEB=n   beats that nothing calls for
 *   -DPAUSES    somebody pauses the agent once, and resumes it
 *   -DM_…       a rule left out; README.md lists them
 */
#ifndef FT
#define FT 1
#endif
#ifndef NRP
#define NRP 1
#endif
#ifndef NS
#define NS 2
#endif
#ifndef STEPS
#define STEPS 1
#endif
#ifndef IDLEB
#define IDLEB 1
#endif
#define NW 2            /* workers */
#define NR 9            /* River rows 1..NR-1; needing more is an error */
#define L 2             /* tries */
#if NS==2
#define OWN(s) (s)
#else
#define OWN(s) ((s)/2)  /* slots 0 and 1 are worker 0's */
#endif

/* executions.status */
#define STARTED 1
#define RUNNING 2
#define COMPLETED 3
#define FAILED 4
#define CANCELLED 5
#define FINAL (st>=COMPLETED)
/* river_job.state: FIN is completed, cancelled or discarded */
#define AVAIL 1
#define RUN 2
#define FIN 3
#define GONE 4
/* where a worker's slot is in (*attempts).Work */
#define IDLE 0
#define FETCHED 1       /* before or in the claim */
#define CACK 2          /* claimed, the answer is on its way */
#define WORK 3          /* the agent runs */
#define STEPTX 4        /* in RecordStep's transaction, after the fence */
#define LOST 5          /* errTaken: unwinding */
#define AGAIN 6         /* the last word is written, its answer was lost: lastWord tries again */
#define DEFER 7         /* the claim was refused: its own statement defers what is paused (a step of its own here, which only adds interleavings) */
#define MUTE 8          /* M_CLAIMTIME: the claim's answer never comes, and nobody stops waiting */
/* a worker process */
#define UP 1
#define PAUSED 2        /* stands still for longer than its lease, then goes on */
#define DEAD 3
#define FROZEN 4        /* stands still for ever, its connections open */

/* ---- the database ---- */
byte st=STARTED, att, fails, rj=1, own;      /* own: worker + 1, 0 is NULL */
bit due, canreq, late, paused;               /* due: next_attempt_at is set; late: deadline_at has passed */
byte rst[NR], nrow=2;
bit rold;                                    /* the row rj was fetched two leases ago (strayCondition) */
byte xl;                                     /* the execution's row lock between statements: slot + 1 */
bit lease[NW]=1;
bit db=1;
/* ---- the workers' memory ---- */
byte wst[NW]=UP;
bit stopping[NW];
byte ph[NS], lrow[NS], latt[NS];
bit lnew[NS];                                /* the claim's answer came after the present beat began (held.claimed) */
byte prow[NS], pk[NS];                       /* what River's completer has still to write for the slot */
byte zrow[NS];                               /* a claim that was given up but is still on its way to the database */
byte bph[NW], bans[NW];                      /* the beat's phase; the attempt it was told to be its own */
/* ---- the reapers' memory ---- */
bit clean[NRP]=1;                            /* guard.mayJudge */
byte rph[NRP], sk[NRP], satt[NRP], srow[NRP], swk[NRP]; /* a Suspect */
/* ---- budgets and ghosts ---- */
byte faults=FT, steps=STEPS, idleb=IDLEB, acks=1, outs=1, deadlines=1, cancels=1, pauses=1;
bit okclaim;                                 /* the holder was never paused, killed or frozen since its claim */
bit cut[NW];                                 /* the database came back and the worker has had no chance to beat yet */
int counted, intr;                           /* attempts that cost a try; that were interrupted */
byte effective;                              /* last words that took effect */

/* ---- rules, and what a mutation leaves of them ---- */
#if defined(M_NOFENCE)
#define FENCE(s) (st==RUNNING)
#elif defined(M_ATTEMPTONLY)
#define FENCE(s) (latt[s]==att && !FINAL)
#elif defined(M_NOSTATUS)
#define FENCE(s) (latt[s]==att && own==OWN(s)+1)
#elif defined(M_NOWORKER)
#define FENCE(s) (latt[s]==att && st==RUNNING)
#else
#define FENCE(s) (latt[s]==att && own==OWN(s)+1 && st==RUNNING)  /* const fence */
#endif
#ifdef M_NORJ
#define RJOK(r) (1)
#else
#define RJOK(r) (rj==r)
#endif
#ifdef M_SESSION
#define SESSION(s) (1)
#else
#define SESSION(s) (wst[OWN(s)]!=DEAD)   /* workers.ended_at IS NULL */
#endif
#define CLAIMABLE(s,r) (RJOK(r) && st==STARTED && !canreq && !paused && SESSION(s))
#ifdef M_CANCEL
#define CANREQ (0)      /* Fail and Interrupt don't look */
#else
#define CANREQ (canreq)
#endif
#ifdef M_NOGUARD
#define MAYJUDGE(r) (1)
#define MAYJUDGE2(r) (1)
#else
#define MAYJUDGE(r) (clean[r])
#ifdef M_GUARD2
#define MAYJUDGE2(r) (1)
#else
#define MAYJUDGE2(r) (clean[r])
#endif
#endif
#ifdef M_EXPIRE
#define SAMEROW(r) (1)
#else
#define SAMEROW(r) (rj==srow[r])
#endif
#define EXPIRED (st==RUNNING && lease[own-1]==0)
#define STRAY (st==STARTED && !due && (rst[rj]==FIN || rst[rj]==GONE || (rst[rj]==RUN && rold)))
#define LIVE(r) (rst[r]==AVAIL || rst[r]==RUN)
#define TRUEOWN(s) (st==RUNNING && own==OWN(s)+1 && att==latt[s])
#define HOLDS(s) (ph[s]==WORK || ph[s]==STEPTX)
#define INRUNS(s) (ph[s]>=CACK)              /* held.runs has the execution */
#define ME (wst[OWN(s)]==UP)
#define FREE (xl==0)

/* The CHECKs of migration 1: at any instant. */
#ifdef M_DUE
#define SHAPE skip
#else
#define SHAPE assert((FINAL && own==0 && !due) || (st==STARTED && own==0 && due==(rj==0)) || (st==RUNNING && own!=0 && !due && rj!=0 && att>0))
#endif

inline newrow(){ assert(nrow<NR); rst[nrow]=AVAIL; rj=nrow; nrow++; rold=0 }
/* endJob: the River row ends for good; its worker may hear of it (see `notice`) */
inline endjob(r){ if :: r!=0 && LIVE(r) -> rst[r]=FIN :: else fi }
inline complete_row(s){ if :: rst[lrow[s]]==RUN -> rst[lrow[s]]=FIN :: else fi }
inline backtodue(){ st=STARTED; own=0; due=1; rold=0;
#ifndef M_DUE
   rj=0
#endif
   }
inline count(a){ assert(!(counted & (1<<a)));  /* P5: an attempt costs one try at most, */
   assert(!(intr & (1<<a)));                   /*     an interrupted one none */
   counted = counted | (1<<a); fails++; assert(fails<=L) }
inline fin(t){ assert(!FINAL); assert(t!=CANCELLED || canreq); /* P2, P7 */
   st=t; own=0; due=0; rold=0; effective++; assert(effective==1) }
inline wrote(s){ assert(TRUEOWN(s)) }          /* P1: only the attempt that runs writes */
inline clear(s){ ph[s]=IDLE; lrow[s]=0; latt[s]=0; lnew[s]=0 }
/* Work returns: River's completer will write k for the row, some time, unfenced */
inline leave(s,k){ prow[s]=lrow[s]; pk[s]=k; clear(s) }
/* the answer of the last word comes, or is lost */
inline answered(s){ if :: leave(s,FIN) :: acks>0 && faults>0 -> acks--; faults--; ph[s]=AGAIN fi }

inline claim(s,r){
   assert(!FINAL); assert(!due);               /* P4: no attempt before its due time */
   assert(!canreq);                            /* P6: none after an accepted cancel */
   att++; st=RUNNING; own=OWN(s)+1; rold=0; okclaim=(wst[OWN(s)]!=PAUSED && wst[OWN(s)]!=FROZEN);
#ifndef M_CLAIMLEASE
   if :: wst[OWN(s)]!=DEAD -> lease[OWN(s)]=1 :: else fi;
#endif
   SHAPE }

#define ANYAV (rst[1]==AVAIL||rst[2]==AVAIL||rst[3]==AVAIL||rst[4]==AVAIL||rst[5]==AVAIL||rst[6]==AVAIL||rst[7]==AVAIL||rst[8]==AVAIL)
inline take(k){ rst[k]=RUN; lrow[s]=k; ph[s]=FETCHED; if :: rj==k -> rold=0 :: else fi }
#if NS==2
#define HELD(s) (0)
#define MAYBEHELD(s) (0)
#else               /* held.claiming: this process has the execution in its other slot */
#define OTHER(s) (1-s)
#define HELD(s) (s<2 && INRUNS(OTHER(s)))
#define MAYBEHELD(s) (s<2 && ph[OTHER(s)]!=IDLE)
#endif

proctype slot(byte s){
end: do
 :: atomic{ ME && db && ph[s]==IDLE && prow[s]==0 && !stopping[OWN(s)] && ANYAV ->    /* River fetches */
     if :: rst[1]==AVAIL -> take(1) :: rst[2]==AVAIL -> take(2) :: rst[3]==AVAIL -> take(3) :: rst[4]==AVAIL -> take(4)
        :: rst[5]==AVAIL -> take(5) :: rst[6]==AVAIL -> take(6) :: rst[7]==AVAIL -> take(7) :: rst[8]==AVAIL -> take(8) fi }
 :: atomic{ ME && ph[s]==FETCHED && MAYBEHELD(s) -> leave(s,AVAIL) }                  /* held.claiming is false: JobSnooze */
 :: atomic{ ME && ph[s]==FETCHED && stopping[OWN(s)] -> leave(s,AVAIL) }              /* ctx.Err: River hands the row on */
 :: atomic{ ME && db && ph[s]==FETCHED && FREE && !HELD(s) ->                         /* Claim */
     if :: CLAIMABLE(s,lrow[s]) -> claim(s,lrow[s]); latt[s]=att; ph[s]=CACK
        :: !CLAIMABLE(s,lrow[s]) && paused -> ph[s]=DEFER
        :: !CLAIMABLE(s,lrow[s]) && !paused -> leave(s,FIN) fi }
 :: atomic{ ME && db && ph[s]==DEFER && FREE ->                                       /* Claim, deferred */
     if :: rj==lrow[s] && st==STARTED && !canreq && paused -> backtodue(); SHAPE :: else fi; leave(s,FIN) }
 :: atomic{ ME && !db && (ph[s]==FETCHED || ph[s]==DEFER) -> leave(s,FIN) }           /* Claim's error: River discards the row */
 :: atomic{ ME && ph[s]==FETCHED && !HELD(s) && acks>0 && faults>0 ->                 /* claimTime is over, the statement still comes */
     acks--; faults--; zrow[s]=lrow[s]; leave(s,FIN) }
 :: atomic{ db && zrow[s]!=0 && FREE ->
     if :: CLAIMABLE(s,zrow[s]) -> claim(s,zrow[s]) :: else fi; zrow[s]=0 }
 :: atomic{ ME && ph[s]==CACK -> ph[s]=WORK; lnew[s]=(bph[OWN(s)]!=0) }               /* held.claimed */
 :: atomic{ ME && ph[s]==CACK && acks>0 && faults>0 -> acks--; faults--;              /* its answer is lost: an error, or claimTime is over */
#ifdef M_CLAIMTIME
     ph[s]=MUTE
#else
     leave(s,FIN)
#endif
     }
 /* RecordStep, SaveProgress, effects: the fence under the execution's lock, then what they write */
 :: atomic{ ME && db && ph[s]==WORK && FREE && steps>0 ->
     if :: FENCE(s) -> steps--; ph[s]=STEPTX;
#ifndef M_NOLOCK
           xl=s+1
#endif
        :: else -> ph[s]=LOST fi }
 :: atomic{ ME && db && ph[s]==STEPTX -> wrote(s); ph[s]=WORK; if :: xl==s+1 -> xl=0 :: else fi }
 :: atomic{ ME && db && ph[s]==WORK && FREE ->                                        /* Complete */
     if :: FENCE(s) && st==RUNNING -> wrote(s); complete_row(s); fin(COMPLETED); SHAPE; answered(s)
        :: else -> complete_row(s); leave(s,FIN) fi }
 :: atomic{ ME && db && ph[s]==WORK && FREE ->                                        /* Fail */
     if :: FENCE(s) -> wrote(s); count(latt[s]); complete_row(s);
           if :: CANREQ -> fin(CANCELLED)
              :: !CANREQ -> fin(FAILED)                                               /* permanent, or tries are spent */
              :: !CANREQ && fails<L -> backtodue() fi; SHAPE; answered(s)
        :: else -> leave(s,FIN) fi }
 /* notice: the beat or River says cancel (the user's, or the row was ended by anybody) */
 :: atomic{ ME && db && ph[s]==WORK && FREE && (canreq || rst[lrow[s]]!=RUN) ->       /* Cancelled */
     if :: FENCE(s) && canreq -> wrote(s); complete_row(s); fin(CANCELLED); SHAPE; answered(s)
        :: else -> complete_row(s); leave(s,FIN) fi }
 :: atomic{ ME && db && ph[s]==WORK && FREE && stopping[OWN(s)] ->                    /* Interrupt */
     if :: FENCE(s) -> wrote(s); intr=intr|(1<<latt[s]);
#ifdef M_HANDON        /* River hands the old row on, later */
           if :: CANREQ -> fin(CANCELLED); leave(s,FIN) :: else -> st=STARTED; own=0; leave(s,AVAIL) fi; SHAPE
#else
           complete_row(s); if :: CANREQ -> fin(CANCELLED) :: else -> st=STARTED; own=0; newrow() fi; SHAPE; answered(s)
#endif
        :: else -> leave(s,FIN) fi }
 :: atomic{ ME && db && ph[s]==AGAIN && FREE -> assert(!FENCE(s)); leave(s,FIN) }     /* lastWord again: refused, always */
 :: atomic{ ME && ph[s]==LOST -> leave(s,FIN) }
 /* River's completer (JobSetStateIfRunning): by id and state alone */
 :: atomic{ ME && db && prow[s]!=0 -> if :: rst[prow[s]]==RUN -> rst[prow[s]]=pk[s] :: else fi; prow[s]=0; pk[s]=0 }
 od }

#if NS==2
#define MINE(w,i) (i==w)
#define ANY(w,X) (X(w))
#define ALL(w,X) (X(w))
#else
#define MINE(w,i) (OWN(i)==w)
#define ANY(w,X) ((w==0 && (X(0)||X(1))) || (w==1 && X(2)))
#define ALL(w,X) ((w==0 && X(0) && X(1)) || (w==1 && X(2)))
#endif
#define ISIDLE(i) (ph[i]==IDLE)
#define QUIET1(i) (ph[i]==IDLE && prow[i]==0)
#define TAKEN1(i) (HOLDS(i) && !TRUEOWN(i))
byte gi; bit inruns;
#ifdef M_ONEWAY
#define UNKNOWN(w) (0)
#else
#define UNKNOWN(w) (st==RUNNING && own==w+1 && ALL(w,ISIDLE))
#endif
inline begins(w){ gi=0; do :: gi<NS -> if :: MINE(w,gi) -> lnew[gi]=0 :: else fi; gi++ :: else -> gi=0; break od } /* held.beatBegins */
inline compare(w){ gi=0; inruns=0;                                                    /* held.compare */
   do :: gi<NS ->
       if :: MINE(w,gi) && INRUNS(gi) -> inruns=1;
#ifdef M_BEAT
             if :: HOLDS(gi) && bans[w]!=latt[gi] ->
#else
             if :: HOLDS(gi) && bans[w]!=latt[gi] && !lnew[gi] ->
#endif
                   assert(!TRUEOWN(gi));       /* P11: nobody's own attempt is cancelled */
                   if :: xl==gi+1 -> xl=0 :: else fi; ph[gi]=LOST
                :: else fi
          :: MINE(w,gi) && ph[gi]==FETCHED -> if :: inruns=1 :: skip fi                /* held.claiming was called, or not yet */
          :: else fi; gi++
      :: else -> gi=0; break od;
#ifdef M_ONEWAY
   inruns=1;
#endif
   if :: bans[w]!=0 && !inruns -> bph[w]=3 :: else -> bph[w]=0; bans[w]=0 fi; inruns=0 }
proctype beat(byte w){
end: do
 :: atomic{ wst[w]==UP && db && bph[w]==0 && (lease[w]==0 || ANY(w,TAKEN1) || UNKNOWN(w)) -> bph[w]=1; begins(w) }
 :: atomic{ wst[w]==UP && db && bph[w]==0 && idleb>0 -> idleb--; bph[w]=1; begins(w) }
 :: atomic{ wst[w]==UP && bph[w]==1 && !db -> bph[w]=0 }
 :: atomic{ wst[w]==UP && bph[w]==1 && db ->                                          /* Beat */
     lease[w]=1; cut[w]=0; bph[w]=2; if :: st==RUNNING && own==w+1 -> bans[w]=att :: else fi }
 :: atomic{ wst[w]==UP && bph[w]==2 -> compare(w) }
 :: atomic{ wst[w]==UP && bph[w]==3 && !db -> bph[w]=0; bans[w]=0 }
 :: atomic{ wst[w]==UP && bph[w]==3 && db && FREE ->                                  /* GiveBack */
     if :: st==RUNNING && own==w+1 && att==bans[w] ->
           endjob(rj); if :: canreq -> fin(CANCELLED) :: else -> backtodue() fi; SHAPE
        :: else fi; bph[w]=0; bans[w]=0 }
 od }
#ifdef M_NORECHECK
#define STILLLOST(r) (1)
#else
#define STILLLOST(r) (EXPIRED && att==satt[r] && rj==srow[r] && own==swk[r])
#endif
inline suspect(k){ rph[r]=1; sk[r]=k; satt[r]=att; srow[r]=rj; swk[r]=own }
inline forget(){ rph[r]=0; sk[r]=0; satt[r]=0; srow[r]=0; swk[r]=0 }
/* one tick: Sweep and the guard, what it found one by one, Enqueue. NOWAIT: where a
 * lock is taken the suspect is dropped and found again, here it waits instead. */
proctype reaper(byte r){
end: do
 :: atomic{ db && rph[r]==0 && MAYJUDGE(r) && EXPIRED -> suspect(1) }
 :: atomic{ db && rph[r]==0 && STRAY -> suspect(2) }
 :: atomic{ db && rph[r]==0 && st==STARTED && late -> suspect(3) }
 :: atomic{ db && rph[r]==0 && FREE && st==STARTED && due && !paused -> due=0; newrow(); SHAPE }  /* Enqueue */
 :: atomic{ db && rph[r]==1 && FREE ->
     if
     :: sk[r]==1 && STILLLOST(r) && MAYJUDGE2(r) ->                                   /* Reap */
        assert(!okclaim);                      /* P8: nobody is judged who was never paused, killed or frozen */
        assert(!(wst[swk[r]-1]==UP && cut[swk[r]-1])); /* P9: after an outage a live worker gets its chance to beat first */
        count(satt[r]); endjob(srow[r]);
        if :: canreq -> fin(CANCELLED) :: !canreq && fails>=L -> fin(FAILED) :: else -> assert(!FINAL); backtodue() fi; SHAPE
     :: sk[r]==2 && STRAY && att==satt[r] && rj==srow[r] ->                            /* Reconcile */
#ifdef A_RECON
        assert(!(rst[rj]==RUN && ((prow[0]==rj && pk[0]==AVAIL && wst[OWN(0)]==UP) || (prow[1]==rj && pk[1]==AVAIL && wst[OWN(1)]==UP)))); /* P10: no row is ended that a live worker is just handing on */
#endif
        endjob(rj); backtodue(); SHAPE
     :: sk[r]==3 && st==STARTED && late && att==satt[r] && SAMEROW(r) ->              /* Expire */
        endjob(srow[r]); if :: canreq -> fin(CANCELLED) :: else -> fin(FAILED) fi; SHAPE;
        assert(rj==0 || !LIVE(rj))             /* P12: it leaves no row in the queue */
     :: else fi; forget() }
 /* one whole lease with an answering database has passed: every worker that lives has beaten */
 :: atomic{ db && !clean[r] && (wst[0]!=UP||lease[0]) && (wst[1]!=UP||lease[1]) -> clean[r]=1; cut[0]=0; cut[1]=0 }
 od }

inline hurt(w){ if :: st==RUNNING && own==w+1 -> okclaim=0 :: else fi }
inline kill(w){ hurt(w); stopping[w]=0; bph[w]=0; bans[w]=0; cut[w]=0; gi=0;
   do :: gi<NS -> if :: MINE(w,gi) -> if :: xl==gi+1 -> xl=0 :: else fi; clear(gi); prow[gi]=0; pk[gi]=0 :: else fi; gi++ :: else -> gi=0; break od }
inline nozombies(w){ gi=0; do :: gi<NS -> if :: MINE(w,gi) -> zrow[gi]=0 :: else fi; gi++ :: else -> gi=0; break od }
#define WORKER(w) \
 :: atomic{ wst[w]==UP && faults>0 -> faults--; wst[w]=DEAD; kill(w); nozombies(w) }  /* kill -9 */ \
 :: atomic{ wst[w]==UP && faults>0 && w==0 -> faults--; wst[w]=PAUSED; hurt(w) } \
 :: atomic{ wst[w]==UP && faults>0 && w==0 -> faults--; wst[w]=FROZEN; hurt(w) } \
 :: atomic{ wst[w]==PAUSED -> wst[w]=UP } \
 :: atomic{ wst[w]==UP && faults>0 && !stopping[w] -> faults--; stopping[w]=1 }       /* SIGTERM, drain */ \
 :: atomic{ db && wst[w]==UP && stopping[w] && ALL(w,QUIET1) && bph[w]==0 -> wst[w]=DEAD; kill(w); lease[w]=0 } /* Deregister */ \
 :: atomic{ lease[w]==1 && (wst[w]!=UP || !db) -> lease[w]=0 } \
 :: atomic{ db && wst[w]==DEAD && lease[w]==0 && !(st==RUNNING && own==w+1) -> nozombies(w); wst[w]=UP; lease[w]=1 } /* Register: a new session */
#define ROW(k) \
 :: atomic{ db && faults>0 && rst[k]==RUN -> faults--; rst[k]=FIN }                   /* cancelled in River's own page */ \
 :: atomic{ db && faults>0 && rst[k]==RUN -> faults--; rst[k]=AVAIL }                 /* River hands it on twice, rescues it */ \
 :: atomic{ db && faults>0 && rst[k]==FIN && !FINAL -> faults--; rst[k]=AVAIL }       /* retried in River's own page */ \
 :: atomic{ db && faults>0 && (rst[k]==FIN||rst[k]==AVAIL) && !FINAL && rj==k -> faults--; rst[k]=GONE }
#define BUSY(i) (wst[OWN(i)]==UP && db && ((ph[i]!=IDLE && lrow[i]==rj) || prow[i]==rj))
proctype env(){
end: do
 WORKER(0)
 WORKER(1)
 ROW(1)
 ROW(2)
 ROW(3)
 /* two leases since River's fetch; no live worker is that slow while the database answers */
 :: atomic{ st==STARTED && rj!=0 && rst[rj]==RUN && !rold && !(BUSY(0)||BUSY(1)||BUSY(NS-1)) -> rold=1 }
#ifdef M_HANDON
 :: atomic{ st==RUNNING && rst[rj]==RUN && !rold -> rold=1 }
#endif
 :: atomic{ db && FREE && cancels>0 && !FINAL && faults>0 -> cancels--; faults--; canreq=1;   /* Cancel */
      if :: st==STARTED -> endjob(rj); fin(CANCELLED) :: else fi; SHAPE }
 :: atomic{ deadlines>0 && faults>0 && !FINAL -> deadlines--; faults--; late=1 }
#ifdef PAUSES
 :: atomic{ db && pauses>0 && !FINAL -> pauses--; paused=1 }                          /* PauseAgent, the breaker */
 :: atomic{ db && paused -> paused=0 }                                                /* ResumeAgent, a probe */
#endif
 :: atomic{ db && outs>0 && faults>0 -> outs--; faults--; db=0; clean[0]=0;
#if NRP>1
      clean[1]=0;
#endif
      gi=0; do :: gi<NS -> if :: ph[gi]==STEPTX -> ph[gi]=WORK :: else fi; gi++ :: else -> gi=0; break od; xl=0 }
 :: atomic{ !db -> db=1; cut[0]=1; cut[1]=1 }
#ifndef M_IDLE
 :: atomic{ xl!=0 && wst[OWN(xl-1)]!=UP -> ph[xl-1]=WORK; xl=0 }                      /* idle_in_transaction_session_timeout */
#endif
 od }
proctype monitor(){ FINAL }   /* waits here for ever: stuck */
init { atomic{ rst[1]=AVAIL; byte i=0;
  do :: i<NS -> run slot(i); i++ :: else -> break od; i=0;
  do :: i<NW -> run beat(i); i++ :: else -> break od; i=0;
  do :: i<NRP -> run reaper(i); i++ :: else -> break od;
  i=0; run env(); run monitor() } }
