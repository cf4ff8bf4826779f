/* SPDX-License-Identifier: Apache-2.0
 *
 * How workers sleep and are woken: troupe_worker_park, troupe__worker_post, inject, wake_one and the blocking workers of
 * actors/src/core/worker.c, with drivers that sleep on a flag, as a model for Spin.
 *
 * Two ordinary workers and, with -DBLOCKING, a third one for actors that may block. Work lies in an inbox (answers), in the
 * inject queue that the ordinary workers share, in the queue of the blocking one, in a worker's own ring, or in its wheel
 * when another one has armed a timer there. An outsider posts to each ordinary inbox; an actor that runs may put others
 * into these queues, or arm a timer. Advisory looks at `parked`, and stealing, only decide how soon somebody helps:
 * nothing may depend on them, so they happen or not.
 *
 * -DBUG_... makes a mistake that the model must find; see model.test.mjs. */

#ifndef SPAWNS
#define SPAWNS 2 /* actors that are put into a queue by those that run, and timers */
#endif
#ifndef POSTS
#define POSTS 2  /* answers that each outsider posts */
#endif

#define BIT(w) (1 << w)
#define ORDINARY 3
#define THE_BLOCKING 2 /* its index */

byte parked;        /* a bit for each worker */
byte inbox[2], ring[2], wheel[2], inject, blocking;
bit armed[2];       /* armed_by_other */
bit woken[3];       /* the driver's flag, as an eventfd's: it stays until it is read */

byte posted, answered, spawned, ran, set, fired;

/* Wake one of these that the look showed, by clearing its bit: troupe__worker_wake, wake_one. */
inline wake(among, old)
{
    old = parked;
    do
    :: !(old & (among)) -> break
    :: else ->
        d_step {
            if
            :: parked != old -> old = parked
            :: parked == old && (old & (among) & 1) -> parked = old & ~1; old = 128
            :: parked == old && !(old & (among) & 1) && (old & (among) & 2) -> parked = old & ~2; old = 129
            :: parked == old && !(old & (among) & 3) -> parked = old & ~4; old = 130
            fi
        }
        if
        :: old >= 128 ->
#ifndef BUG_BIT_CLEARED_AND_NOBODY_WOKEN
            woken[old - 128] = 1;
#endif
            break
        :: else
        fi
    od;
    old = 0
}

/* troupe__worker_post */
proctype Outsider(byte w)
{
    byte i, old;

    do
    :: i == POSTS -> break
    :: else ->
#ifdef BUG_WAKE_BEFORE_THE_POST
        wake(BIT(w), old);
        d_step { inbox[w]++; posted++ }
#else
        d_step { inbox[w]++; posted++ }
        wake(BIT(w), old);
#endif
        i++
    od
}

/* What the actor does that has been taken: nothing, or it makes more to do. w is who runs it. */
inline act(w, old)
{
    ran++;
    if
    :: true
    :: atomic { w != THE_BLOCKING && spawned < SPAWNS -> spawned++; ring[w]++ }
    :: atomic { spawned < SPAWNS -> spawned++; inject++ }
#ifdef BUG_THE_BLOCKING_ONE_WAKES_NOBODY
       if
       :: w == THE_BLOCKING
       :: else -> wake(ORDINARY, old)
       fi
#else
       wake(ORDINARY, old)
#endif
#ifdef BLOCKING
    :: atomic { spawned < SPAWNS -> spawned++; blocking++ }
       wake(BIT(THE_BLOCKING), old)
    :: atomic { w == THE_BLOCKING && set < SPAWNS -> set++; wheel[0]++ } /* the deadline of an actor that it ran */
       armed[0] = 1;
       wake(BIT(0), old)
#endif
    fi
}

proctype Worker(byte w)
{
    byte old;
    bit found;

poll:
#ifdef BUG_ARMED_FORGOTTEN_BEHIND_THE_WHEEL
    skip;
    d_step { fired = fired + wheel[w]; wheel[w] = 0 }
    armed[w] = 0;
#else
    armed[w] = 0;
    d_step { fired = fired + wheel[w]; wheel[w] = 0 }
#endif
    d_step { answered = answered + inbox[w]; inbox[w] = 0; found = 0 }
    atomic {
        if
        :: ring[w] > 0 -> ring[w]--; found = 1
        :: else
        fi
    }
    if
    :: found
    :: else ->
        atomic {
            if
            :: inject > 0 -> inject--; found = 1
            :: else
            fi
        }
    fi;
    if
    :: found
    :: atomic { !found && ring[1 - w] > 0 -> ring[1 - w]--; found = 1 } /* steal, or not */
    :: !found
    fi;
    if
    :: found -> act(w, old); found = 0; goto poll
    :: else
    fi;
    /* troupe_worker_park: the bit, then one more look */
#ifdef BUG_LOOK_BEFORE_THE_BIT
    if
    :: inbox[w] || inject || ring[w] || armed[w] -> goto poll
    :: else
    fi;
    parked = parked | BIT(w);
#else
    parked = parked | BIT(w);
    if
#ifdef BUG_NO_LOOK_AT_THE_INBOX
    :: inject || ring[w] || armed[w] ->
#else
    :: inbox[w] || inject || ring[w] || armed[w] ->
#endif
        parked = parked & ~BIT(w);
        goto poll
    :: else
    fi;
#endif
#ifdef BUG_FLAG_CLEARED_BEFORE_SLEEP
    woken[w] = 0;
#endif
end_asleep:
    woken[w] == 1;
    woken[w] = 0;
    parked = parked & ~BIT(w); /* troupe_worker_unpark, by the driver */
    goto poll
}

/* One that has nothing but the queue of the blocking ones. */
proctype Blocking()
{
    byte old;
    bit found;

poll:
    atomic {
        if
        :: blocking > 0 -> blocking--; found = 1
        :: else -> found = 0
        fi
    }
    if
    :: found -> act(THE_BLOCKING, old); found = 0; goto poll
    :: else
    fi;
    parked = parked | BIT(THE_BLOCKING);
    if
    :: blocking -> parked = parked & ~BIT(THE_BLOCKING); goto poll
    :: else
    fi;
end_asleep:
    woken[THE_BLOCKING] == 1;
    woken[THE_BLOCKING] = 0;
    parked = parked & ~BIT(THE_BLOCKING);
    goto poll
}

/* When all sleep, nothing may lie anywhere. */
proctype Judge()
{
    timeout ->
    assert(inbox[0] == 0 && inbox[1] == 0);
    assert(inject == 0 && blocking == 0 && ring[0] == 0 && ring[1] == 0);
    assert(wheel[0] == 0 && wheel[1] == 0);
    assert(answered == posted && ran == spawned + 1 && fired == set);
#ifdef BLOCKING
    assert(parked == 7)
#else
    assert(parked == 3)
#endif
}

init
{
    atomic {
        inject = 1; /* one actor to begin with */
        run Outsider(0);
#ifdef BLOCKING
        run Blocking();
#else
        run Outsider(1);
#endif
        run Worker(0);
        run Worker(1);
        run Judge()
    }
}
