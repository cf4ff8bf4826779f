/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames that wait to be written: one block each, bounded by bytes. A client that does not read is told nothing more
 * and closed: its answers cannot be dropped one by one, for each of them is owed. Events are not what fills the queue,
 * as they are read from their topics only while it is short (watch.c). */
#include "session/inside.h"

static size_t cost_of(const struct session_out *out) { return sizeof *out + SESSION_HEADROOM + out->len; }

struct session_out *queue_new(struct session *session, size_t cap)
{
    struct session_out *out = NULL;
    if (session->state == SESSION_CLOSING || session->is_freed)
        return NULL;
    if (cap < SIZE_MAX - sizeof *out - SESSION_HEADROOM)
        out = troupe_alloc(sizeof *out + SESSION_HEADROOM + cap);
    if (out == NULL)
        session_close(session, SESSION_INTERNAL, "memory is exhausted");
    return out;
}

/* All but the first, which may be in the driver's hands. */
static void drop_rest(struct session *session)
{
    struct session_out *out = session->first->next;
    session->first->next = NULL;
    session->last = session->first;
    session->queue_bytes = cost_of(session->first);
    while (out != NULL) {
        struct session_out *next = out->next;
        troupe_free(out);
        out = next;
    }
}

void queue_add(struct session *session, struct session_out *out, size_t len)
{
    bool was_empty = session->first == NULL;
    out->len = len;
    out->next = NULL;
    /* The first is always taken: a frame may be larger than the queue. */
    if (!was_empty && session->queue_bytes + cost_of(out) > session->queue_bytes_max) {
        troupe_free(out);
        drop_rest(session);
        session_close(session, SESSION_TRY_LATER, "the client does not read");
        return;
    }
    if (was_empty)
        session->first = out;
    else
        session->last->next = out;
    session->last = out;
    session->queue_bytes += cost_of(out);
    if (was_empty && session->wants_write != NULL)
        session->wants_write(session->user);
}

void queue_pop(struct session *session)
{
    struct session_out *out = session->first;
    if (out == NULL)
        return;
    session->first = out->next;
    session->queue_bytes -= cost_of(out);
    if (session->first == NULL)
        session->last = NULL;
    troupe_free(out);
}

void queue_clear(struct session *session)
{
    while (session->first != NULL)
        queue_pop(session);
}
