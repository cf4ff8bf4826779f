/* SPDX-License-Identifier: Apache-2.0
 *
 * What a behavior is: a constant table of functions and message types. To write one, include <troupe/behavior.h>, fill
 * the table, and export it; actors/behaviors/ holds examples, some of about a page.
 *
 * A behavior's functions run one at a time for an actor, never at the same time on two threads, though each time
 * perhaps on another thread. They must not block (but with TROUPE_BEHAVIOR_BLOCKING), read a clock or touch globals;
 * they reach the world through the context (troupe/context.h). Each returns 0, or a negative TROUPE_E_... and then the
 * actor fails with that reason (troupe_fail() adds words). A failure is a value: nothing unwinds. */
#ifndef TROUPE_BEHAVIOR_H
#define TROUPE_BEHAVIOR_H

#include <troupe/limits.h>
#include <troupe/message.h>

#define TROUPE_BEHAVIOR_ABI 1u /* raised when the meaning of this header changes */

typedef struct troupe_ctx troupe_ctx; /* the running turn. Lives: until the behavior's function returns. */

/* Why an actor ended. Values cross the wire. */
enum troupe_exit_cause {
    TROUPE_EXIT_NORMAL = 0,      /* it stopped itself */
    TROUPE_EXIT_STOPPED = 1,     /* somebody stopped it */
    TROUPE_EXIT_DRAINED = 2,     /* somebody drained it */
    TROUPE_EXIT_SHUTDOWN = 3,    /* its parent or its node ended */
    TROUPE_EXIT_FAILED = 4,      /* a function of its behavior returned an error; error says which */
    TROUPE_EXIT_KILLED = 5,      /* somebody killed it, or it outlived its shutdown timeout */
    TROUPE_EXIT_LINKED = 6,      /* an actor linked to it ended abnormally */
    TROUPE_EXIT_INTENSITY = 7,   /* a supervisor whose children failed too often */
    TROUPE_EXIT_NOT_STARTED = 8, /* init failed, or did not end before the start deadline */
    TROUPE_EXIT_NOPROC = 9,      /* it was gone before the monitor or link was made */
    TROUPE_EXIT_UNREACHABLE = 10 /* its home is lost */
};

/* True for the ends after which a transient child is started again and linked actors end too. */
static inline bool troupe_exit_is_abnormal(enum troupe_exit_cause cause) { return cause >= TROUPE_EXIT_FAILED; }

/* "normal", "stopped", ... Never NULL. */
const char *troupe_exit_word(enum troupe_exit_cause cause);

typedef struct troupe_exit {
    enum troupe_exit_cause cause;
    int error;                   /* TROUPE_E_... for failed and not_started, else 0 */
    troupe_view detail;          /* words for people; "" when there are none */
} troupe_exit;

/* An actor that this one monitors, or is linked to while it traps exits, has ended. */
typedef struct troupe_down {
    troupe_ref ref;
    uint64_t monitor;            /* what troupe_monitor gave; 0 for a link */
    troupe_exit exit;
} troupe_down;

/* What happened to a child. */
enum troupe_child_what {
    TROUPE_CHILD_STARTED = 1,    /* its init is done, also after a restart */
    TROUPE_CHILD_ENDED = 2,      /* and will not be started again */
    TROUPE_CHILD_RESTARTING = 3  /* it ended and is started again, at once or after its backoff */
};

typedef struct troupe_child_event {
    enum troupe_child_what what;
    troupe_ref ref;              /* started: the new id; else the id that ended */
    uint64_t child;              /* stays the same over restarts: troupe_spawn_opts.child_tag */
    troupe_exit exit;            /* ended, restarting */
} troupe_child_event;

/* One message type. The schemas are JSON Schema in the subset of docs/writing-a-behavior.md, or NULL. A node checks the
 * bodies that come by REST and by sessions against body_schema (no body reads as {}), those of other actors it does
 * not. */
typedef struct troupe_type {
    const char *name;
    uint32_t flags;
    const char *summary;
    const char *body_schema;
    const char *reply_schema;
} troupe_type;

#define TROUPE_TYPE_READ_ONLY 1u  /* changes nothing: GET may call it */
#define TROUPE_TYPE_IDEMPOTENT 2u /* twice is as good as once: a client may retry */
#define TROUPE_TYPE_CAST 4u       /* meant to be cast; a call of it is answered with null when it does not reply */

#define TROUPE_BEHAVIOR_ANY_TYPE 1u /* takes types that are not in its table: op is TROUPE_OP_NONE */
#define TROUPE_BEHAVIOR_TRAP_EXIT 2u /* a link's end comes to down() instead of ending the actor */
#define TROUPE_BEHAVIOR_WRITABLE 4u /* wants TROUPE_MSG_WRITABLE after a TROUPE_E_FULL */
#define TROUPE_BEHAVIOR_NAME_LOST 8u /* wants TROUPE_MSG_NAME_LOST */
#define TROUPE_BEHAVIOR_BLOCKING 16u /* its functions may block: they run on the blocking workers, never elsewhere (but
                                        where the host has none), one message a turn; fini alone must not block */

typedef struct troupe_behavior {
    uint32_t abi;                /* TROUPE_BEHAVIOR_ABI */
    uint32_t size;               /* sizeof(troupe_behavior): the table can grow at its end */
    const char *name;            /* [A-Za-z0-9_.:-]{1,64} */
    const char *version;         /* "1.0.0" */
    const char *summary;         /* one line for people */
    const troupe_type *types;
    uint32_t types_count;
    uint32_t state_bytes;        /* zeroed before init; up to 48 bytes cost nothing extra */
    uint32_t flags;

    /* Each may be NULL but receive. args->kind is TROUPE_MSG_ARGS. Return TROUPE_STARTING from init to stay in
     * "starting" (messages wait) until troupe_started(); the start deadline still holds. */
    int (*init)(troupe_ctx *ctx, void *state, const troupe_msg *args);
    int (*receive)(troupe_ctx *ctx, void *state, const troupe_msg *msg);
    int (*down)(troupe_ctx *ctx, void *state, const troupe_down *down);
    int (*child)(troupe_ctx *ctx, void *state, const troupe_child_event *event);
    void (*stop)(troupe_ctx *ctx, void *state, const troupe_exit *exit); /* last words; not after kill */
    void (*fini)(void *state);   /* frees what state owns; always the last, also after kill and a failed init */

    /* Show the state to an operator: troupe_reply with a JSON document (troupe_reply_error when that cannot be). It
     * runs between two messages, also while the actor waits in troupe_call_wait or is suspended, so it must change
     * nothing and send nothing, and it should be quick: the actor pays for it. NULL: this behavior shows no state. */
    int (*view)(troupe_ctx *ctx, const void *state);

    /* What the first release did not have: a table without these is as good as one with zeros. */
    const char *args_schema;     /* of args, as troupe_type.body_schema; or NULL */
} troupe_behavior;

#define TROUPE_STARTING 1        /* from init only: see above */

/* The first two fields of every table. */
#define TROUPE_BEHAVIOR_HEAD .abi = TROUPE_BEHAVIOR_ABI, .size = (uint32_t)sizeof(troupe_behavior)

/* ---- a shared object with behaviors ---- */

/* What `trouped --behavior FILE.so` looks for: the symbol troupe_exported_behaviors. */
typedef struct troupe_export {
    uint32_t magic;              /* TROUPE_EXPORT_MAGIC */
    uint32_t abi;                /* TROUPE_BEHAVIOR_ABI of the headers that it was compiled with */
    uint32_t behavior_bytes;     /* sizeof(troupe_behavior) there */
    uint32_t type_bytes;         /* sizeof(troupe_type) there */
    uint32_t count;
    const troupe_behavior *const *behaviors;
} troupe_export;

#define TROUPE_EXPORT_MAGIC 0x70757274u /* "trup" */

/* Export behaviors, once in a shared object: TROUPE_EXPORT_BEHAVIORS(&greeter, &counter); */
#define TROUPE_EXPORT_BEHAVIORS(...)                                                                                   \
    static const troupe_behavior *const troupe_exported_list[] = {__VA_ARGS__};                                        \
    extern const troupe_export troupe_exported_behaviors;                                                              \
    __attribute__((visibility("default"))) const troupe_export troupe_exported_behaviors = {                           \
        TROUPE_EXPORT_MAGIC, TROUPE_BEHAVIOR_ABI, (uint32_t)sizeof(troupe_behavior), (uint32_t)sizeof(troupe_type),    \
        (uint32_t)(sizeof troupe_exported_list / sizeof troupe_exported_list[0]), troupe_exported_list}

/* The table of the first release ended behind fini; a smaller one is none. */
#define TROUPE_BEHAVIOR_BYTES_MIN (offsetof(troupe_behavior, fini) + sizeof(void (*)(void *)))

#include <troupe/context.h>

#endif
