/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox word of actors/src/core/mailbox.h, and how a turn begins and ends (core/turn.c), as a model for Spin.
 *
 * Two senders, and two workers of whom only one at a time may have the actor. With -DCALL the first message makes it wait
 * for a reply (troupe_call_wait), which a third sender brings; with -DSYSTEM somebody sends into its system lane; with
 * -DSTOP somebody stops it. A step is what a thread does from one look at shared memory to the next; README.md says
 * what is left out, and why that is sound.
 *
 * There are few cells for messages, and one that was freed is taken again at once: so the top that a thread saw may by
 * now be the address of another message.
 *
 * -DBUG_... makes a mistake that the model must find; see model.test.mjs. */

#ifndef SENDS
#define SENDS 2 /* messages of the first sender */
#endif
#ifndef SENDS_2
#define SENDS_2 SENDS /* of the second */
#endif
#define CELLS 4 /* the last one is the reply's: that is reserved */

/* Tops: 0 no message and owned; 1 to CELLS a message; and: */
#define OWNED 0
#define IDLE 8
#define SHUT 9
#define CALLED 2 /* `from` of the reply */

typedef Cell {
    byte next, from, seq;
    bit used
};

/* Shared. */
Cell cell[CELLS + 1];  /* 0 is none */
byte top = IDLE, count;
byte lane;             /* messages in the system lane */
bit lane_is_shut, sig_system, sig_stop;
byte scheduled;        /* in how many run queues it stands */

/* The owner's. */
byte captured, handled;
chan inbox = [8] of {byte};
chan deferred = [8] of {byte};
bit paused;

/* What is claimed. */
byte running;          /* how many have it */
byte next_seq[2];      /* that is expected of each sender */
byte accepted, refused, done, disposed, system_sent, system_done;
bit asked, is_replied, ended;

inline read_word(t, c) { d_step { t = top; c = count } }

/* ---- who sends ---- */

inline take_cell(m, who, number)
{
    atomic {
        if
        :: who != CALLED && !cell[1].used -> m = 1
        :: who != CALLED && cell[1].used && !cell[2].used -> m = 2
        :: who != CALLED && cell[1].used && cell[2].used && !cell[3].used -> m = 3
        :: who == CALLED -> m = CELLS
        fi;
        cell[m].used = 1;
        cell[m].from = who;
        cell[m].seq = number
    }
}

/* mailbox_push: the loop around the compare-and-swap, and the scheduling by who claimed. Until the swap the message is
 * its maker's alone, so linking it is a part of that step. */
inline push(m, t, c, ok)
{
    read_word(t, c);
    ok = 0;
    do
    :: ok -> break
    :: !ok && t == SHUT -> d_step { cell[m].used = 0; refused++; ok = 1 }
    :: !ok && t != SHUT ->
        d_step {
            if
            :: top == t && count == c ->
                cell[m].next = (t == IDLE -> OWNED : t);
                top = m; count++; accepted++; ok = 1;
                if
#ifdef BUG_ONLY_THE_FIRST_MESSAGE_CLAIMS
                :: t == IDLE && c == 0 -> scheduled++
#else
                :: t == IDLE -> scheduled++
#endif
                :: else
                fi
            :: else -> t = top; c = count
            fi
        }
    od;
    atomic { m = 0; t = 0; c = 0; ok = 0 }
}

proctype Sender(byte me; byte n)
{
    byte i, m, t, c;
    bit ok;

    do
    :: i == n -> break
    :: else -> take_cell(m, me, i); push(m, t, c, ok); i++
    od
}

proctype Replier()
{
    byte m, t, c;
    bit ok;

    if
    :: asked -> take_cell(m, CALLED, 0); push(m, t, c, ok)
    :: ended
    fi
}

/* mailbox_claim */
inline claim(t, c, ok)
{
    read_word(t, c);
    ok = 0;
    do
    :: ok || t != IDLE -> break
    :: !ok && t == IDLE ->
        d_step {
            if
#ifdef BUG_CLAIM_WITHOUT_SWAP
            :: true -> top = OWNED; ok = 1
#else
            :: top == t && count == c -> top = OWNED; ok = 1
            :: else -> t = top; c = count
#endif
            fi
        }
    od;
    atomic { t = 0; c = 0 }
}

/* troupe__send_system, then troupe__worker_raise */
proctype Raiser()
{
    byte t, c;
    bit ok;

    d_step {
        if
        :: lane_is_shut -> ok = 0
        :: else -> lane++; system_sent++; ok = 1
        fi
    }
    if
    :: !ok
    :: ok ->
#ifdef BUG_CLAIM_BEFORE_THE_SIGNAL
        claim(t, c, ok);
        sig_system = 1;
#else
        sig_system = 1;
        claim(t, c, ok);
#endif
        if
        :: ok -> scheduled++
        :: else
        fi
    fi
}

proctype Stopper()
{
    byte t, c;
    bit ok;

    sig_stop = 1;
    claim(t, c, ok);
    if
    :: ok -> scheduled++
    :: else
    fi
}

/* ---- who runs it ---- */

/* mailbox_capture: one look at the word; the links below the top do not change any more. */
inline capture(at, n, list)
{
    n = count - captured;
    at = top;
    list = 0;
    do
    :: n == 0 -> break
    :: else ->
        assert(at >= 1 && at <= CELLS && cell[at].used); /* never the address of one that was freed */
#ifdef BUG_NOT_REVERSED
        inbox!at;
#else
        list = list * 5 + at;
#endif
        at = cell[at].next;
        captured++;
        n--
    od;
    do
    :: list == 0 -> break
    :: else -> inbox!(list % 5); list = list / 5
    od;
    at = 0
}

inline handle(m, n)
{
    if
    :: cell[m].from == CALLED -> /* the pause is over: what it held back comes first */
        paused = 0;
        is_replied = 1;
        n = len(inbox);
        do
        :: len(deferred) > 0 -> deferred?m; inbox!m
        :: else -> break
        od;
        do
        :: n == 0 -> break
        :: else -> inbox?m; inbox!m; n--
        od;
        m = 0
    :: else ->
        assert(cell[m].seq == next_seq[cell[m].from]); /* in the order of its sender, and once */
        next_seq[cell[m].from] = next_seq[cell[m].from] + 1;
        done++;
#ifdef CALL
        if
        :: !asked -> asked = 1; paused = 1
        :: else
        fi
#endif
    fi
}

proctype Worker()
{
    byte m, n, t, c, freed;
    short list;
    bit ok, stop, more;

rest:
end_rest:
    atomic { scheduled > 0 -> scheduled--; assert(running == 0 && !ended); running = 1 }
turn:
    atomic { /* the signals, with one locked instruction; nothing to do: not even that */
        stop = sig_stop; ok = sig_system; sig_stop = 0; sig_system = 0
    }
    if
    :: ok || stop -> d_step { system_done = system_done + lane; lane = 0 }
    :: else
    fi;
    if
    :: stop -> goto end_it
    :: else
    fi;
    atomic { /* the next message: one look at the word, if that; all else is the owner's */
        if
        :: len(inbox) == 0 -> capture(t, n, list)
        :: else
        fi;
        more = len(inbox) > 0;
        if
        :: more ->
            inbox?m;
            if
            :: paused && cell[m].from != CALLED -> deferred!m
            :: else -> handled++; freed = m; handle(m, n); cell[freed].used = 0; freed = 0
            fi;
            m = 0
        :: else
        fi;
        ok = 0
    }
    if
    :: more -> goto turn
    :: more -> /* its share is used up: mailbox_settle, then to the back of the queue */
        d_step { captured = captured - handled; count = count - handled; handled = 0 }
        d_step { running = 0; scheduled++; more = 0 }
        goto rest
    :: else
    fi;
    read_word(t, c); /* mailbox_go_idle */
    if
    :: c != captured -> goto turn
    :: else
    fi;
    d_step {
        if
#ifdef BUG_IDLE_WITHOUT_SWAP
        :: true ->
#else
        :: top == t && count == c ->
#endif
            captured = captured - handled;
            handled = 0;
            count = captured;
            top = IDLE;
            running = 0;
            ok = 1
#ifndef BUG_IDLE_WITHOUT_SWAP
        :: else -> ok = 0
#endif
        fi;
        t = 0; c = 0
    }
    if
    :: !ok -> goto turn
    :: else
    fi;
#ifndef BUG_NO_LOOK_AT_SIGNALS_AFTER_IDLE
    if
    :: sig_system || sig_stop ->
        claim(t, c, ok);
        if
        :: ok -> atomic { ok = 0; assert(running == 0); running = 1; goto turn }
        :: else
        fi
    :: else
    fi;
#endif
    ok = 0;
    goto rest;

end_it: /* life.c: what waits is disposed of; then mailbox_shut */
    atomic {
        do
        :: len(deferred) > 0 -> deferred?m; cell[m].used = 0; disposed++; handled++
        :: len(inbox) > 0 -> inbox?m; cell[m].used = 0; disposed++; handled++
        :: else -> break
        od;
        captured = captured - handled; count = count - handled; handled = 0; m = 0
    }
    read_word(t, c);
    ok = 0;
    do
    :: ok -> break
    :: else ->
        atomic { capture(m, n, list) }
        atomic {
            if
#ifdef BUG_SHUT_WITHOUT_SWAP
            :: true -> top = SHUT; count = 0; ok = 1
#else
            :: top == t && count == c -> top = SHUT; count = 0; ok = 1
            :: else -> t = top; c = count
#endif
            fi
        }
    od;
    atomic {
        do
        :: len(inbox) > 0 -> inbox?m; cell[m].used = 0; disposed++
        :: else -> break
        od;
        m = 0; t = 0; c = 0; captured = 0; ok = 0
    }
    d_step { lane_is_shut = 1; system_done = system_done + lane; lane = 0 }
    d_step { ended = 1; running = 0; stop = 0 }
    goto rest
}

/* ---- when nothing can go on, nothing may be left ---- */

proctype Judge()
{
    timeout ->
    assert(scheduled == 0 && running == 0);
    assert(lane == 0 && system_done == system_sent);
    assert(!cell[1].used && !cell[2].used && !cell[3].used && !cell[4].used);
    assert(accepted == done + disposed + is_replied);
    if
    :: ended -> assert(top == SHUT)
    :: else ->
        assert(top == IDLE && count == 0 && captured == 0 && handled == 0);
        assert(refused == 0 && done == SENDS + SENDS_2);
        assert(!sig_system && !sig_stop)
    fi
}

init
{
    atomic {
        run Sender(0, SENDS);
        run Sender(1, SENDS_2);
#ifdef CALL
        run Replier();
#endif
#ifdef SYSTEM
        run Raiser();
#endif
#ifdef STOP
        run Stopper();
#endif
        run Worker();
        run Worker();
        run Judge()
    }
}
