/* SPDX-License-Identifier: Apache-2.0
 *
 * See group.h: what actors send to groups.
 *
 * A cast or call is sent to all members in the sender's turn, so that it keeps its place among what the sender sends
 * to each of them. Members are read in slices; nothing is held while a slice is sent to.
 *
 * A multi-call is so many calls, each an entry of the actor's wait table as any call, with a continuation that knows
 * which member it is. Members that refused the call have no entry: their results come by a message to oneself, which
 * is made before anything is sent, so that results cannot be lost for want of memory. `done` runs behind the last
 * result.
 *
 * Thread: the actor's owner. */
#include "core/group.h"

#include "base/mem.h"
#include "core/worker.h"

static int check(const troupe_ctx *ctx, troupe_view scope, troupe_view group, troupe_view type, const troupe_body *body)
{
    if (actor_is_killed(ctx->actor))
        return TROUPE_E_KILLED;
    if (!troupe__group_words(scope, group, false) || !troupe__is_word(type))
        return TROUPE_E_INVALID;
    return troupe__message_check(type, body);
}

/* ---- cast ---- */

int troupe_group_cast(troupe_ctx *ctx, const char *scope, const char *group, const char *type, troupe_body body,
                      troupe_group_counts *ret_counts)
{
    troupe_view scope_view = troupe_view_of(scope), group_view = troupe_view_of(group);
    struct outgoing out = {.kind = TROUPE_MSG_CAST, .type = troupe_view_of(type), .body = &body, .sender = ctx->actor};
    troupe_group_counts counts = {0};
    struct group *found;
    int rc = check(ctx, scope_view, group_view, out.type, &body);
    if (rc)
        return rc;
    if (troupe__group_hold(ctx->worker->system, scope_view, group_view, false, &found) == 0) {
        troupe_ref refs[GROUP_SLICE];
        uint64_t cursor = 0, last = troupe__group_last(found);
        uint32_t got;
        while ((got = troupe__group_slice(found, &cursor, last, refs, GROUP_SLICE)) > 0) {
            for (uint32_t i = 0; i < got; i++)
                counts.accepted += troupe__send(ctx->worker, &refs[i], &out, NULL) == 0;
            counts.members += got;
        }
        troupe__group_release(found);
    }
    counts.refused = counts.members - counts.accepted;
    *ret_counts = counts;
    return 0;
}

/* ---- call ---- */

struct group_item {
    struct group_call *call;
    troupe_ref ref;
    int refused; /* why nothing was sent to it, 0: it was */
};

struct group_call {
    struct group_call *next, **link; /* the actor's */
    troupe_reply_fn then;
    troupe_group_done_fn done;
    uint64_t tag;
    troupe_group_counts counts; /* what was told so far; members: all */
    uint32_t open;              /* calls that are not answered */
    uint32_t looked;            /* items that the message with results has looked at */
    bool has_message;           /* that is still to come */
    size_t bytes;
    struct group_item items[];
};

static void end_call(troupe_worker *worker, struct extra *extra, struct group_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    extra->group_calls_count--;
    troupe__pool_free(&worker->pool, call, call->bytes);
}

/* After a result: perhaps it was the last. */
static int proceed(troupe_ctx *ctx, void *state, struct group_call *call)
{
    troupe_group_done_fn done = call->done;
    troupe_group_counts counts = call->counts;
    uint64_t tag = call->tag;
    if (call->open > 0 || call->has_message)
        return 0;
    end_call(ctx->worker, ctx->actor->extra, call);
    return done ? done(ctx, state, tag, &counts) : 0;
}

/* Tell the result of one member. */
static int tell(troupe_ctx *ctx, void *state, const struct group_item *item, const troupe_msg *reply)
{
    struct group_call *call = item->call;
    troupe_msg result = *reply;
    result.from = item->ref;
    result.tag = call->tag;
    call->counts.accepted += result.status == 0;
    call->counts.refused += result.status != 0;
    return call->then ? call->then(ctx, state, &result) : 0;
}

/* The continuation of each of the calls. */
static int on_reply(troupe_ctx *ctx, void *state, const troupe_msg *reply)
{
    const struct group_item *item = (const struct group_item *)(uintptr_t)reply->tag;
    struct group_call *call = item->call;
    call->open--;
    int rc = tell(ctx, state, item, reply);
    if (rc < 0 || ctx->stop_self || ctx->actor->ending || actor_is_killed(ctx->actor))
        return rc; /* nobody is told any more; ending: a failed start, and the call is gone */
    return proceed(ctx, state, call);
}

static void send_to_self(troupe_ctx *ctx, struct message *message)
{
    troupe__send_reserved(ctx->worker, actor_ref(ctx->worker->system, ctx->actor), message);
}

int troupe__group_call_on_results(troupe_ctx *ctx, struct message *message)
{
    static const char nothing[8] = "";
    struct group_call *call;
    memcpy(&call, message + 1, sizeof call);
    void *state = actor_state(ctx->actor);
    int rc = 0;
    bool ends = false; /* then nobody is told any more, and the call may be gone */
    for (uint32_t told = 0; !ends && call->looked < call->counts.members && told < TROUPE_TURN_MESSAGES_MAX;) {
        const struct group_item *item = &call->items[call->looked++];
        if (!item->refused)
            continue;
        troupe_msg reply = {
            .kind = TROUPE_MSG_REPLY, .op = TROUPE_OP_NONE, .status = item->refused, .type = nothing, .body = nothing};
        told++;
        rc = tell(ctx, state, item, &reply);
        ends = rc < 0 || ctx->stop_self || ctx->actor->ending || actor_is_killed(ctx->actor);
    }
    if (!ends && call->looked < call->counts.members) {
        send_to_self(ctx, message);
        return 0;
    }
    troupe__message_free(&ctx->worker->pool, message);
    if (ends)
        return rc;
    call->has_message = false;
    return proceed(ctx, state, call);
}

void troupe__group_call_stop_all(troupe_ctx *ctx)
{
    struct extra *extra = ctx->actor->extra;
    while (extra->group_calls)
        end_call(ctx->worker, extra, extra->group_calls);
}

/* Make a call with the members of a group (NULL: none) as its items. NULL: no memory. */
static struct group_call *new_call(troupe_ctx *ctx, struct group *group)
{
    uint32_t max = group ? atomic_load_relaxed(&group->size) : 0, count = 0, got = 1;
    size_t bytes = sizeof(struct group_call) + max * sizeof(struct group_item);
    struct group_call *call = troupe__pool_alloc(&ctx->worker->pool, bytes);
    if (!call)
        return NULL;
    *call = (struct group_call){.bytes = bytes};
    uint64_t cursor = 0;
    while (got > 0 && count < max) { /* who joins meanwhile may be left out */
        troupe_ref refs[GROUP_SLICE];
        got = troupe__group_slice(group, &cursor, UINT64_MAX, refs,
                                  max - count < GROUP_SLICE ? max - count : GROUP_SLICE);
        for (uint32_t i = 0; i < got; i++)
            call->items[count++] = (struct group_item){.call = call, .ref = refs[i]};
    }
    call->counts.members = count;
    return call;
}

static void enter(struct extra *extra, struct group_call *call)
{
    call->next = extra->group_calls;
    call->link = &extra->group_calls;
    if (call->next)
        call->next->link = &call->next;
    extra->group_calls = call;
    extra->group_calls_count++;
}

int troupe_group_call(troupe_ctx *ctx, const char *scope, const char *group, const char *type, troupe_body body,
                      uint32_t timeout_ms, troupe_reply_fn then, troupe_group_done_fn done, uint64_t tag)
{
    struct pool *pool = &ctx->worker->pool;
    troupe_view scope_view = troupe_view_of(scope), group_view = troupe_view_of(group);
    int rc = check(ctx, scope_view, group_view, troupe_view_of(type), &body);
    if (rc == 0 && ctx->actor->ending)
        rc = TROUPE_E_STATE;
    if (rc == 0 && timeout_ms > TROUPE_CALL_TIMEOUT_MS_MAX)
        rc = TROUPE_E_INVALID;
    if (rc)
        return rc;
    struct extra *extra = troupe__extra(pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->group_calls_count >= TROUPE_GROUP_CALLS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    struct group *found = NULL;
    if (troupe__group_hold(ctx->worker->system, scope_view, group_view, false, &found))
        found = NULL;
    struct message *results = troupe__message_new_bare(pool, MESSAGE_GROUP_RESULTS, sizeof(struct group_call *));
    struct group_call *call = results ? new_call(ctx, found) : NULL;
    if (found)
        troupe__group_release(found);
    if (!call) {
        if (results)
            troupe__message_free(pool, results);
        return TROUPE_E_NO_MEMORY;
    }
    call->then = then;
    call->done = done;
    call->tag = tag;
    enter(extra, call);
    for (uint32_t i = 0; i < call->counts.members; i++) {
        struct group_item *item = &call->items[i];
        item->refused = troupe_call(ctx, item->ref, type, body, timeout_ms, on_reply, (uint64_t)(uintptr_t)item);
        call->open += item->refused == 0;
    }
    call->has_message = call->open < call->counts.members || call->counts.members == 0;
    memcpy(results + 1, &call, sizeof call);
    results->msg.kind = TROUPE_MSG_REPLY;
    results->msg.body_len = 0; /* the pointer is not for a trace to show */
    if (call->has_message)
        send_to_self(ctx, results);
    else
        troupe__message_free(pool, results);
    return 0;
}
