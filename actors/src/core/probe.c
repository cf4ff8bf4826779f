/* SPDX-License-Identifier: Apache-2.0
 *
 * Probes: is an actor alive, and not stuck in its turn?
 *
 * A question that queues behind work tells how much work there is, not whether somebody does it; a healthy worker with
 * a long mailbox would be taken for dead. So the probe goes by the target's system lane, which is looked at before each
 * message, and comes back by the asker's system lane, which is looked at before its deadlines: an answer that is there
 * counts, however late the asker gets to look.
 *
 * The asker's side is an open call (WAIT_CALL): the limit, the deadline and the continuation are those of calls. The
 * one message travels both ways, so an answer needs no memory.
 *
 *   target alive          -> status 0
 *   target has ended      -> the lane is shut, or its end refuses what is in the lane: TROUPE_E_GONE
 *   target stays in a turn-> the asker's deadline: TROUPE_E_TIMEOUT; a later answer finds no entry and is dropped
 *   asker is in call_wait -> the answer takes a place in its mailbox, without deadline, until the wait is over;
 *                            while it is suspended, too
 *
 * Thread: the owner of the actor whose lane is looked at. */
#include "core/mailbox.h"
#include "core/worker.h"

int troupe_probe(troupe_ctx *ctx, troupe_ref ref, uint32_t timeout_ms, troupe_reply_fn then, uint64_t tag)
{
    troupe_worker *worker = ctx->worker;
    struct actor *actor = ctx->actor;
    if (actor_is_killed(actor))
        return TROUPE_E_KILLED;
    if (actor->ending || troupe_ref_equal(ref, troupe_self(ctx)))
        return TROUPE_E_STATE;
    if (timeout_ms > TROUPE_CALL_TIMEOUT_MS_MAX)
        return TROUPE_E_INVALID;
    struct extra *extra = troupe__extra(&worker->pool, actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    if (extra->waits.calls >= TROUPE_CALLS_PER_ACTOR_MAX)
        return TROUPE_E_LIMIT;
    struct message *probe = troupe__message_new_bare(&worker->pool, SYSTEM_PROBE, 0);
    if (!probe)
        return TROUPE_E_NO_MEMORY;
    uint64_t wait_ms = timeout_ms ? timeout_ms : worker->system->config.call_timeout_ms;
    uint64_t id = troupe__wait_add(&worker->pool, &extra->waits, WAIT_CALL, worker->now_ns + wait_ms * NS_PER_MS);
    int rc = TROUPE_E_NO_MEMORY;
    if (id) {
        struct wait *wait = troupe__wait_find(&extra->waits, id, WAIT_CALL);
        wait->then = then;
        wait->tag_or_period = tag;
        probe->msg.from = troupe_self(ctx);
        probe->call_id = id;
        rc = troupe__send_system(worker, ref, probe, SIGNAL_SYSTEM);
        if (rc == 0)
            return 0;
        troupe__wait_remove(&extra->waits, wait);
    }
    troupe__message_free(&worker->pool, probe);
    return rc;
}

void troupe__probe_answer(troupe_worker *worker, struct message *probe, troupe_ref from, int status)
{
    troupe_ref asker = probe->msg.from;
    probe->what = SYSTEM_PROBED;
    probe->msg.from = from;
    probe->msg.status = status;
    if (troupe__send_system(worker, asker, probe, SIGNAL_SYSTEM))
        troupe__message_free(&worker->pool, probe); /* the asker has ended */
}

int troupe__probe_on_answer(troupe_ctx *ctx, struct message *answer)
{
    struct actor *actor = ctx->actor;
    struct extra *extra = actor->extra;
    struct wait *wait = extra ? troupe__wait_find(&extra->waits, answer->call_id, WAIT_CALL) : NULL;
    int rc = 0;
    bool must_wait = actor->pause & (PAUSE_CALL | PAUSE_SUSPENDED) && !TROUPE_PLANTED(19); /* no continuation now */
    if (wait && must_wait) {
        answer->what = MESSAGE_REPLY;
        answer->target_generation = actor_generation(actor);
        if (mailbox_push(actor, answer) == PUSH_QUEUED) { /* the actor is running, so it is claimed */
            wait->overdue = false;
            troupe__wait_set_deadline(&extra->waits, wait, UINT64_MAX);
            return 0;
        }
    } else if (wait) {
        rc = troupe__call_end(ctx, wait, &answer->msg);
    }
    troupe__message_free(&ctx->worker->pool, answer);
    return rc;
}
