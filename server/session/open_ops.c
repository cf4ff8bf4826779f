/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations that are open, by their ids: a chained hash table. It begins as one chain without memory of its own, which
 * is all that a session with a few of them needs, and grows with them. When it finds no memory to grow, the chains get
 * longer; their number is limited anyway. */
#include <string.h>

#include "session/inside.h"

enum { CHAIN_MAX = 8, BUCKETS_FIRST = 64 };

static const struct {
    unsigned max;
    const char *words;
} limits[SESSION_KINDS] = {
    [SESSION_CALL] = {SESSION_CALLS_MAX, "this session has as many open calls as it may; await some replies"},
    [SESSION_CHANGE] = {SESSION_CHANGES_MAX,
                        "this session has as many open spawns and stops as it may; await some replies"},
    [SESSION_MONITOR] = {SESSION_MONITORS_MAX, "this session has as many monitors as it may; take some back"},
    [SESSION_SUBSCRIPTION] = {SESSION_SUBSCRIPTIONS_MAX,
                              "this session has as many subscriptions as it may; take some back"},
};

/* ---- the table ---- */

/* FNV-1a. A client that makes its ids collide slows down its own session, by a bounded amount. */
static uint32_t hash_of(troupe_view id)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static struct session_op **bucket_of(const struct session *session, troupe_view id)
{
    if (session->buckets == NULL)
        return (struct session_op **)&session->few;
    return &session->buckets[hash_of(id) & (session->buckets_count - 1)];
}

static void grow(struct session *session)
{
    uint32_t old_count = session->buckets != NULL ? session->buckets_count : 1;
    uint32_t count = session->buckets != NULL ? old_count * 2 : BUCKETS_FIRST;
    struct session_op **old = session->buckets, *few = session->few;
    struct session_op **buckets = troupe_alloc(count * sizeof *buckets);
    if (buckets == NULL)
        return;
    memset(buckets, 0, count * sizeof *buckets);
    session->buckets = buckets;
    session->buckets_count = count;
    session->few = NULL;
    for (uint32_t i = 0; i < old_count; i++) {
        struct session_op *op = old != NULL ? old[i] : few;
        while (op != NULL) {
            struct session_op *next = op->chain, **bucket = bucket_of(session, op_id(op));
            op->chain = *bucket;
            *bucket = op;
            op = next;
        }
    }
    troupe_free(old);
}

static void insert(struct session *session, struct session_op *op)
{
    if (session->ops_count >= (session->buckets != NULL ? session->buckets_count * 2 : CHAIN_MAX))
        grow(session);
    struct session_op **bucket = bucket_of(session, op_id(op));
    op->chain = *bucket;
    *bucket = op;
    session->ops_count++;
}

static void take_out(struct session *session, struct session_op *op)
{
    struct session_op **at = bucket_of(session, op_id(op));
    while (*at != op)
        at = &(*at)->chain;
    *at = op->chain;
    session->ops_count--;
}

struct session_op *op_find(const struct session *session, troupe_view id)
{
    struct session_op *op = id.len > 0 && session->ops_count > 0 ? *bucket_of(session, id) : NULL;
    while (op != NULL && !troupe_view_equal(op_id(op), id))
        op = op->chain;
    return op;
}

/* ---- lists ---- */

void list_append(struct session_list *list, struct session_op *op)
{
    op->next = NULL;
    op->is_listed = true;
    if (list->first == NULL)
        list->first = op;
    else
        list->last->next = op;
    list->last = op;
}

struct session_op *list_take(struct session_list *list)
{
    struct session_op *op = list->first;
    list->first = op->next;
    op->is_listed = false;
    return op;
}

void list_remove(struct session_list *list, struct session_op *op)
{
    struct session_op *before = NULL, *at = list->first;
    for (; at != NULL && at != op; at = at->next)
        before = at;
    if (at == NULL)
        return;
    if (before == NULL)
        list->first = op->next;
    else
        before->next = op->next;
    if (list->last == op)
        list->last = before;
    op->is_listed = false;
}

/* ---- open and close ---- */

static struct session_op *op_new(struct session *session)
{
    struct session_op *op = session->spare;
    session->spare = NULL;
    return op != NULL ? op : troupe_alloc(sizeof *op);
}

struct session_op *op_open(struct session *session, struct session_turn *turn, enum session_kind kind)
{
    troupe_view id = turn->frame->id;
    if (turn->op != NULL)
        return turn->op;
    if (session->open[kind] == limits[kind].max) {
        session_refuse_words(session, turn, TROUPE_E_LIMIT, NULL, "%s", limits[kind].words);
        return NULL;
    }
    struct session_op *op = op_new(session);
    if (op == NULL) {
        session_refuse_core(session, turn, TROUPE_E_NO_MEMORY, (troupe_ref){0});
        return NULL;
    }
    op->session = session;
    op->next = NULL;
    op->more = NULL;
    op->kind = (uint8_t)kind;
    op->is_listed = op->has_subscription = op->asks_place = op->is_starting = op->is_over = false;
    op->id_len = (uint8_t)id.len;
    if (id.len > 0)
        memcpy(op->id, id.ptr, id.len);
    op->request = (troupe_request){.user = op};
    op->ref = (troupe_ref){0};
    session->open[kind]++;
    insert(session, op);
    return op;
}

void op_answered(struct session *session)
{
    if (session->state == SESSION_DRAINING && !op_is_awaited(session))
        session_close(session, SESSION_GOING_AWAY, "the node is ending");
}

/* Whatever the core still has of it. */
static void cancel(struct session_op *op)
{
    if (op->asks_place)
        place_cancel(op->more);
    if (op->has_subscription) {
        troupe_unsubscribe(&op->subscription);
        watch_free_filter(&op->subscription);
    } else
        troupe_request_cancel(&op->request);
}

void op_close(struct session_op *op)
{
    struct session *session = op->session;
    if (op->is_listed)
        list_remove(op->has_subscription ? &session->reading : &session->finding, op);
    cancel(op);
    troupe_free(op->more);
    take_out(session, op);
    session->open[op->kind]--;
    if (session->spare == NULL)
        session->spare = op;
    else
        troupe_free(op);
    op_answered(session);
}

void op_close_all(struct session *session)
{
    uint32_t count = session->buckets != NULL ? session->buckets_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        struct session_op *op = session->buckets != NULL ? session->buckets[i] : session->few;
        while (op != NULL) {
            struct session_op *next = op->chain;
            cancel(op);
            troupe_free(op->more);
            troupe_free(op);
            op = next;
        }
    }
    troupe_free(session->buckets);
    session->buckets = NULL;
    session->few = NULL;
    session->ops_count = 0;
    memset(session->open, 0, sizeof session->open);
    session->finding = session->reading = (struct session_list){0};
}
