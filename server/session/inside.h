/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a session: its state, the operations that are open, and what its files ask of each other.
 *
 *   session.c      life, dispatch of frames, the end
 *   frames.c       the tables; frame_read.c reads by them
 *   frame_write.c  frames out; queue.c keeps them until they are written
 *   open_ops.c     operations that are open, by their ids
 *   target.c       from `to` to an actor, and whether the token may
 *   messages.c actor_ops.c watch.c the operations
 *
 * Reentrance: config's callbacks may free the session. Each way into it (a function of session.h, a callback of the
 * core) stands between session_enter and session_leave, and a session that is freed inside goes with the last leave.
 *
 * Memory is troupe_alloc's, so that the frames of slow clients count against the node's budget.
 *
 * Thread: the session's, for everything here. */
#ifndef TROUPE_SERVER_SESSION_INSIDE_H
#define TROUPE_SERVER_SESSION_INSIDE_H

#include <troupe/system.h>

#include "api/reply.h"
#include "route/place.h"
#include "session/frames.h"
#include "session/session.h"

enum {
    SESSION_CALLS_MAX = 1024, SESSION_CHANGES_MAX = 1024, SESSION_MONITORS_MAX = 1024, SESSION_SUBSCRIPTIONS_MAX = 256,
    SESSION_UNREADABLE_MAX = 20,     /* such frames in a row end the session */
    SESSION_LIMITED_MAX = 100,       /* refusals for the rate in a row end it too */
    SESSION_PING_MS = 30000
};

/* A frame that waits to be written: SESSION_HEADROOM bytes, then len. */
struct session_out {
    struct session_out *next;
    size_t len;
    char bytes[];
};

/* What an operation that is open counts as. Changes are spawns and stops: who awaits as many replies as may be can
 * still end the actor that owes them. */
enum session_kind { SESSION_CALL = 0, SESSION_CHANGE, SESSION_MONITOR, SESSION_SUBSCRIPTION, SESSION_KINDS };

/* An operation that is open, under its id; one without an id is open while its name is asked for. */
struct session_op {
    struct session *session;
    struct session_op *chain;        /* of its bucket */
    struct session_op *next;         /* of those that ask for names, or that have events to read */
    void *more;                      /* owned: what only a few need */
    uint8_t kind;                    /* enum session_kind */
    uint8_t is_listed;               /* it is in one of the lists of `next` */
    uint8_t has_subscription;        /* the union below holds one */
    uint8_t is_starting, is_over;    /* of a monitor: it is just being made; its end was told */
    uint8_t asks_place;              /* `more` begins with a request of the place that is open */
    uint8_t id_len;
    char id[FRAME_ID_TEXT_MAX];
    union {
        struct {
            troupe_request request;
            troupe_ref ref;
        };
        troupe_subscription subscription;
    };
};

enum session_state { SESSION_OPEN = 0, SESSION_DRAINING, SESSION_CLOSING };

struct session_list {
    struct session_op *first, *last;
};

struct session {
    /* set once */
    const struct api_env *env;
    troupe_worker *worker;
    struct access_token *token;      /* held */
    troupe_home home;
    size_t frame_bytes_max, queue_bytes_max;
    void *user;
    void (*wants_write)(void *user);
    void (*wants_close)(void *user, unsigned code, const char *reason);
    uint32_t (*take_rate)(void *user, uint64_t now_ms);

    uint64_t now_ms;
    struct session_out *first, *last; /* the queue */
    size_t queue_bytes;
    struct session_op **buckets;      /* NULL: there is one, `few` */
    struct session_op *few;
    struct session_op *spare;         /* one that is not in use: a call that is answered at once costs no malloc */
    uint32_t buckets_count, ops_count; /* buckets_count is a power of 2 */
    uint16_t open[SESSION_KINDS];
    struct session_list finding;      /* operations whose names are asked for, oldest first */
    struct session_list reading;      /* subscriptions with events to read, the next one first */
    uint8_t state;                    /* enum session_state */
    uint8_t unreadable, limited;      /* in a row */
    bool said_hello, is_freed;
    uint32_t entered;
    char peer[];                      /* for audit lines */
};

/* A frame that is being handled. */
struct session_turn {
    const struct frame *frame;
    troupe_view text;                /* the whole frame */
    struct session_op *op;           /* it is open already: it goes on now that its name is found, or not */
    int found_error;
    troupe_ref found;
};

/* ---- session.c ---- */

/* Who asks, for the messages of this session. Lives: as the session. */
static inline troupe_caller session_caller(const struct session *session)
{
    return (troupe_caller){session->home, access_subject(session->token)};
}

void session_enter(struct session *session);
void session_leave(struct session *session);

/* Handle a frame that was read before; see target.c. */
void session_dispatch(struct session *session, struct session_turn *turn);

/* End the session with this code, once what is queued was sent. */
void session_close(struct session *session, unsigned code, const char *reason);

/* Refuse the frame at hand: an error with its id, or undelivered for a send without one. Ends turn->op. */
void session_refuse(struct session *session, struct session_turn *turn, const struct api_problem *problem);

/* The same for the common case: field may be NULL. */
void session_refuse_words(struct session *session, struct session_turn *turn, int error, const char *field,
                          const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same for an error of the core, which may be about an actor of another home. */
void session_refuse_core(struct session *session, struct session_turn *turn, int error, troupe_ref ref);

/* The problem of an answer of the core that is an error. Lives: as the answer, and words (of 256 bytes). */
struct api_problem session_problem(struct session *session, const troupe_answer *answer, troupe_ref ref, char *words);
enum { SESSION_WORDS_BYTES = 256 };

/* ---- queue.c ---- */

/* A frame of at most `cap` bytes to be filled, or NULL: memory is exhausted and the session closes, or is closing. */
struct session_out *queue_new(struct session *session, size_t cap);
static inline char *queue_text(struct session_out *out) { return out->bytes + SESSION_HEADROOM; }

/* Put a frame behind the others. Takes it. */
void queue_add(struct session *session, struct session_out *out, size_t len);

void queue_pop(struct session *session);
void queue_clear(struct session *session);

/* ---- frame_write.c: frames go into the queue ---- */

/* The reply, with a body of an actor (checked) or of ours (JSON). */
void write_reply(struct session *session, troupe_view id, const char *content_type, troupe_view body);
void write_reply_json(struct session *session, troupe_view id, troupe_view json);
void write_event(struct session *session, troupe_view id, const troupe_event *event);
void write_lagged(struct session *session, troupe_view id, uint64_t missed);
void write_down(struct session *session, troupe_view id, troupe_ref ref, const troupe_exit *exit);
/* A frame of op and, if there is one, id: pong, end. */
void write_bare(struct session *session, enum frame_op op, troupe_view id);
void write_welcome(struct session *session, troupe_view id);
void write_goodbye(struct session *session);
/* error, or undelivered to and type as they were written. */
void write_error(struct session *session, troupe_view id, const struct api_problem *problem);
void write_undelivered(struct session *session, const struct frame *frame, const struct api_problem *problem);

/* ---- open_ops.c ---- */

/* The operation that is open under an id, or NULL. */
struct session_op *op_find(const struct session *session, troupe_view id);

/* Open one under the id of the frame; turn->op, if there is one, is it (and of this kind). NULL: it was refused. */
struct session_op *op_open(struct session *session, struct session_turn *turn, enum session_kind kind);

/* End it: its request, monitor, subscription and questions run no more; its memory is another's. The last one that is
 * awaited ends a session that drains, so its answer is written before. */
void op_close(struct session_op *op);
void op_close_all(struct session *session);

/* Are operations open that will be answered: calls, changes, those that ask for names? */
static inline bool op_is_awaited(const struct session *session)
{
    return session->open[SESSION_CALL] > 0 || session->open[SESSION_CHANGE] > 0 || session->finding.first != NULL;
}

/* An operation is not awaited any more: end the session if it drains and this was the last. */
void op_answered(struct session *session);

static inline troupe_view op_id(const struct session_op *op) { return (troupe_view){op->id, op->id_len}; }

void list_append(struct session_list *list, struct session_op *op);
struct session_op *list_take(struct session_list *list);
void list_remove(struct session_list *list, struct session_op *op);

/* ---- target.c ---- */

/* Find whom the frame is for and check that the token may do this op to it. False: it was refused, or it waits
 * for its name, open as an operation of this kind, and goes on later by session_dispatch. */
bool target_resolve(struct session *session, struct session_turn *turn, enum session_kind kind, troupe_ref *ret_ref);

/* Refuse for want of a grant. */
void session_refuse_access(struct session *session, struct session_turn *turn);

/* ---- the operations ---- */

void messages_call(struct session *session, struct session_turn *turn);
void messages_cast(struct session *session, struct session_turn *turn);
void messages_publish(struct session *session, struct session_turn *turn);
void actor_ops_spawn(struct session *session, struct session_turn *turn);
void actor_ops_stop(struct session *session, struct session_turn *turn);
void watch_monitor(struct session *session, struct session_turn *turn);
void watch_demonitor(struct session *session, struct session_turn *turn);
void watch_subscribe(struct session *session, struct session_turn *turn);
void watch_unsubscribe(struct session *session, struct session_turn *turn);
void watch_free_filter(troupe_subscription *subscription);

/* Read events while the queue has room: when it has become shorter. */
void watch_pump(struct session *session);

#endif
