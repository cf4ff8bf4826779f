/* SPDX-License-Identifier: Apache-2.0
 *
 * Traces and alarms: what a system keeps of actors that are looked at, or are in trouble.
 *
 * A traced actor has PAUSE_TRACED in its pause word, which each message is tested against anyway, and a struct trace in
 * its extra; the trace's topic hangs in the system's table as well, so that a stream finds it without asking the actor.
 * An alarm stands in the system's table alone; the actor has a mark that it does.
 *
 * Both tables are small and fixed, under a lock each, and nothing is called while it is held. */
#ifndef TROUPE_CORE_TRACE_H
#define TROUPE_CORE_TRACE_H

#include <troupe/system.h>

#include "base/atomic.h"
#include "port/port.h"

struct message;
struct actor;

/* What is looked at, from SYSTEM_TRACE on; made by who asks. The actor's owner's. */
struct trace {
    troupe_topic *topic;      /* held as its maker */
    uint32_t left;            /* messages */
    bool bodies;
};

/* The body of a SYSTEM_TRACE. */
struct trace_job {
    struct trace *trace;      /* NULL: end the present one */
};

struct trace_place {
    troupe_ref actor;
    troupe_topic *topic;      /* held; NULL: free */
    bool is_over;             /* the actor is traced no more: another may take the place */
};

struct trace_table {
    struct troupe__lock lock;
    uint32_t next;            /* where the search for a place of one that is over begins: oldest first */
    struct trace_place places[TROUPE_TRACES_MAX];
};

struct alarm_entry {
    troupe_alarm alarm;       /* kind 0: free */
    uint64_t last_ns;         /* when it happened last */
};

struct alarm_table {
    struct troupe__lock lock;
    _Atomic uint32_t active;  /* written under the lock */
    _Atomic uint64_t set, missed;
    uint64_t review_ns;       /* of worker 0: when to look which are over */
    struct alarm_entry entries[TROUPE_ALARMS_MAX];
};

/* ---- trace.c ---- */

/* Handle a message and tell of it. `dispatch` is turn.c's; returns what it returns. */
bool troupe__trace_message(troupe_ctx *ctx, struct message *message,
                           bool (*dispatch)(troupe_ctx *ctx, struct message *message));

/* A SYSTEM_TRACE has come: 0 or an error. The trace is the actor's on success. */
int troupe__trace_begin(troupe_ctx *ctx, struct trace *trace);

/* The trace is over: why, in a word. Legal without one. */
void troupe__trace_end(troupe_ctx *ctx, const char *why);

/* The actor has ended: its trace is kept by who reads it alone. */
void troupe__trace_forget(troupe_system *system, troupe_ref actor);

void troupe__trace_free(struct trace *trace);
void troupe__traces_fini(struct trace_table *table);

#endif
