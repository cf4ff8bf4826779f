/* SPDX-License-Identifier: Apache-2.0
 *
 * monitor and subscribe: to be told later, more than once.
 *
 * Subscriptions are read, not pushed: `ready` only puts one into the list of those with events. They are read in turn,
 * a few events each, while the queue is short, and again whenever a frame was written. So a slow client costs a cursor
 * and a short queue, and is told by `lagged` what it missed; and a busy topic does not hold up the others. While the
 * list is not empty the queue is not either, so there is always a frame whose writing goes on with it. */
#include <string.h>

#include "session/event_id.h"
#include "session/inside.h"

enum {
    EVENTS_PER_TURN = 16,            /* of one subscription before the next has its turn */
    EVENTS_PER_PUMP = 128,           /* of a session before others have theirs */
    FILTER_BYTES_MAX = TROUPE_FILTER_TYPES_MAX * (TROUPE_TYPE_BYTES_MAX + 1),
    EVENTS_QUEUE_BYTES = 64 * 1024   /* no more are read while the queue is longer, or over half of what it may be */
};

static void reply_ref(struct session *session, troupe_view id, troupe_ref ref)
{
    char json[TROUPE_REF_TEXT_MAX + 16] = "{\"ref\":\"";
    size_t len = strlen(json);
    len += troupe_ref_format(ref, json + len);
    memcpy(json + len, "\"}", 2);
    write_reply_json(session, id, (troupe_view){json, len + 2});
}

/* The operation of this kind that a frame names. NULL, which was told: there is none, or it is none yet, as it waits
 * for its name. */
static struct session_op *find_watch(struct session *session, struct session_turn *turn, troupe_view id,
                                     enum session_kind kind, const char *field)
{
    struct session_op *op = op_find(session, id);
    if (op != NULL && op->kind == kind && op->more == NULL)
        return op;
    session_refuse_words(session, turn, TROUPE_E_NOT_FOUND, field, "no %s has this id; it may be over already", field);
    return NULL;
}

static void take_back(struct session *session, struct session_turn *turn, struct session_op *op)
{
    if (op == NULL)
        return;
    op_close(op);
    write_reply_json(session, turn->frame->id, troupe_view_of("{}"));
}

/* ---- monitors ---- */

/* The end of the actor, or the refusal; inside of watch_monitor, which then closes the operation, or later. */
static void monitor_done(troupe_request *request, const troupe_answer *answer)
{
    struct session_op *op = request->user;
    struct session *session = op->session;
    session_enter(session);
    if (answer->error != 0) { /* it could not be made, which may be known only after the reply */
        char words[SESSION_WORDS_BYTES];
        struct api_problem problem = session_problem(session, answer, op->ref, words);
        write_error(session, op_id(op), &problem);
    } else {
        if (op->is_starting)
            reply_ref(session, op_id(op), op->ref);
        write_down(session, op_id(op), op->ref, answer->exit);
    }
    op->is_over = true;
    if (!op->is_starting)
        op_close(op);
    session_leave(session);
}

void watch_monitor(struct session *session, struct session_turn *turn)
{
    troupe_ref ref;
    if (!target_resolve(session, turn, SESSION_MONITOR, &ref))
        return;
    struct session_op *op = op_open(session, turn, SESSION_MONITOR);
    if (op == NULL)
        return;
    op->ref = ref;
    op->is_starting = true;
    op->is_over = false;
    troupe_request_monitor(session->worker, &op->request, monitor_done, ref);
    op->is_starting = false;
    if (op->is_over)
        op_close(op);
    else
        reply_ref(session, turn->frame->id, ref);
}

void watch_demonitor(struct session *session, struct session_turn *turn)
{
    take_back(session, turn, find_watch(session, turn, turn->frame->monitor, SESSION_MONITOR, "monitor"));
}

/* ---- subscriptions ---- */

/* Read the next event. False: there is none now, or none any more. */
static bool read_event(struct session *session, struct session_op *op)
{
    troupe_event event;
    int got = troupe_subscription_read(&op->subscription, &event);
    if (got == 0)
        return false;
    if (got < 0) {
        write_bare(session, OP_END, op_id(op));
        op_close(op);
        return false;
    }
    if (event.lagged > 0)
        write_lagged(session, op_id(op), event.lagged);
    write_event(session, op_id(op), &event);
    return true;
}

static bool may_read(const struct session *session)
{
    size_t half = session->queue_bytes_max / 2;
    return session->state != SESSION_CLOSING &&
           session->queue_bytes < (half < EVENTS_QUEUE_BYTES ? half : EVENTS_QUEUE_BYTES);
}

void watch_pump(struct session *session)
{
    unsigned left = EVENTS_PER_PUMP;
    while (session->reading.first != NULL && left > 0 && may_read(session)) {
        struct session_op *op = list_take(&session->reading);
        unsigned count = 0;
        bool has_more = true;
        while (has_more && count < EVENTS_PER_TURN && left > 0 && may_read(session)) {
            has_more = read_event(session, op);
            count++;
            left -= has_more; /* those without events leave the list, and must not keep others from their turn */
        }
        if (has_more)
            list_append(&session->reading, op);
    }
}

static void on_ready(troupe_subscription *subscription)
{
    struct session_op *op = subscription->user;
    struct session *session = op->session;
    session_enter(session);
    if (!op->is_listed)
        list_append(&session->reading, op);
    watch_pump(session);
    session_leave(session);
}

/* A filter of the subscription's own: one block with its text, which the words of the frame do not outlive. It is as
 * large as the words may be, whatever the client has put between them. */
static int read_filter(troupe_view types, const troupe_filter **ret_filter)
{
    size_t words_bytes = types.len < FILTER_BYTES_MAX ? types.len : FILTER_BYTES_MAX;
    troupe_filter *filter = troupe_alloc(sizeof *filter + words_bytes);
    troupe_json_reader reader;
    if (filter == NULL)
        return TROUPE_E_NO_MEMORY;
    char *text = (char *)(filter + 1);
    filter->count = 0;
    troupe_json_read_init(&reader, types.ptr, types.len);
    while (troupe_json_next_item(&reader)) {
        char word[TROUPE_TYPE_BYTES_MAX + 2];
        size_t len = troupe_json_read_text(&reader, word, sizeof word);
        if (filter->count == TROUPE_FILTER_TYPES_MAX || reader.error != 0)
            break;
        memcpy(text, word, len);
        filter->types[filter->count++] = (troupe_view){text, len};
        text += len;
    }
    if (troupe_json_read_end(&reader) != 0 || filter->count == 0 || !troupe_filter_is_valid(filter)) {
        troupe_free(filter);
        return TROUPE_E_INVALID;
    }
    *ret_filter = filter;
    return 0;
}

void watch_free_filter(troupe_subscription *subscription)
{
    troupe_free((void *)(uintptr_t)subscription->filter);
    subscription->filter = NULL;
}

static int begin(struct session *session, const struct frame *frame, struct session_op *op, troupe_ref ref)
{
    enum troupe_from from = frame->from == 1 ? TROUPE_FROM_OLDEST : TROUPE_FROM_NOW;
    troupe_event_id after = {0, 0};
    const troupe_filter *filter = NULL;
    if (frame->after.len > 0) {
        from = TROUPE_FROM_AFTER;
        if (event_id_parse(frame->after, &after) != 0)
            return TROUPE_E_SCHEMA;
    }
    int error = frame_has(frame, FRAME_TYPES) ? read_filter(frame->types, &filter) : 0;
    if (error != 0)
        return error;
    op->subscription = (troupe_subscription){.user = op, .ready = on_ready, .filter = filter};
    error = frame->topic.len > 0
                    ? troupe_subscribe_to(session->worker, &op->subscription, session->env->events, from, after)
                    : troupe_subscribe(session->worker, &op->subscription, ref, from, after);
    op->has_subscription = error == 0;
    if (error != 0) {
        watch_free_filter(&op->subscription);
        op->request = (troupe_request){.user = op};
    }
    return error;
}

static void subscribe(struct session *session, struct session_turn *turn, troupe_ref ref)
{
    const struct frame *frame = turn->frame;
    struct session_op *op = op_open(session, turn, SESSION_SUBSCRIPTION);
    if (op == NULL)
        return;
    int error = begin(session, frame, op, ref);
    if (error != 0) {
        turn->op = op;
        if (error == TROUPE_E_INVALID)
            session_refuse_words(session, turn, TROUPE_E_SCHEMA, "types",
                                 "types must be an array of 1 to %u types of events; one may end with a *",
                                 TROUPE_FILTER_TYPES_MAX);
        else if (error == TROUPE_E_SCHEMA)
            session_refuse_words(session, turn, error, "after",
                                 "after must be the event of an earlier frame, such as 00000000075bcd15.42");
        else
            session_refuse_core(session, turn, error, ref);
        return;
    }
    if (troupe_ref_is_actor(ref))
        reply_ref(session, frame->id, ref);
    else
        write_reply_json(session, frame->id, troupe_view_of("{}"));
    list_append(&session->reading, op); /* older events may be there: nobody says ready for them */
    watch_pump(session);
}

void watch_subscribe(struct session *session, struct session_turn *turn)
{
    const struct frame *frame = turn->frame;
    troupe_ref ref = {0};
    if (frame_has(frame, FRAME_TO)) {
        if (!target_resolve(session, turn, SESSION_SUBSCRIPTION, &ref))
            return;
    } else if (!troupe_view_equal(frame->topic, troupe_view_of("cluster"))) {
        session_refuse_words(session, turn, TROUPE_E_SCHEMA, "topic", "topic must be \"cluster\"");
        return;
    } else if (!access_allows(session->token, frame_ops[frame->op].scope, &(struct access_target){0})) {
        session_refuse_access(session, turn);
        return;
    }
    subscribe(session, turn, ref);
}

void watch_unsubscribe(struct session *session, struct session_turn *turn)
{
    take_back(session, turn,
              find_watch(session, turn, turn->frame->subscription, SESSION_SUBSCRIPTION, "subscription"));
}
