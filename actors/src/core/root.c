/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's own supervisor, troupe.root: the parent of what outsiders spawned with a restart policy.
 *
 * It is started when it is first needed, by whichever worker needs it, and is asked by its system lane, because a child
 * must be made in its parent's turn. How it differs from other supervisors stands in supervisor.c.
 *
 * Threads: the functions of a turn run in its turn; troupe__root_spawn is for the owner of any worker. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

struct spawn_job {
    troupe_spawn_opts opts; /* its views point behind it */
    struct message *args;
};

static int root_init(troupe_ctx *ctx, void *state, const troupe_msg *args)
{
    (void)state;
    (void)args;
    struct extra *extra = troupe__extra(&ctx->worker->pool, ctx->actor);
    if (!extra)
        return TROUPE_E_NO_MEMORY;
    extra->children.window_per_child = true;
    return 0;
}

static int root_receive(troupe_ctx *ctx, void *state, const troupe_msg *msg)
{
    (void)ctx;
    (void)state;
    (void)msg;
    return 0; /* it takes no message type */
}

const troupe_behavior troupe__root_behavior = {
    TROUPE_BEHAVIOR_HEAD,
    .name = "troupe.root",
    .version = "1.0.0",
    .summary = "The node's supervisor: holds the actors that were spawned from outside with a restart policy.",
    .init = root_init,
    .receive = root_receive,
};

/* Who waits for the start is told why there is none. */
static void refuse_spawn(troupe_worker *worker, struct message *args, int error, troupe_ref holder)
{
    troupe_answer answer = {.error = error, .ref = holder};
    if (troupe__answer(worker, args, holder, &answer) == 0)
        troupe__message_free(&worker->pool, args);
    else
        troupe__answer_with_error(worker, args, holder, error, (troupe_view){"", 0});
}

void troupe__root_refuse(troupe_worker *worker, struct message *request)
{
    struct spawn_job job;
    memcpy(&job, request->msg.body, sizeof job);
    refuse_spawn(worker, job.args, TROUPE_E_DRAINING, (troupe_ref){0});
    troupe__message_free(&worker->pool, request);
}

void troupe__root_on_spawn(troupe_ctx *ctx, struct message *request)
{
    troupe_worker *worker = ctx->worker;
    if (ctx->actor->ending) {
        troupe__root_refuse(worker, request);
        return;
    }
    struct spawn_job job;
    memcpy(&job, request->msg.body, sizeof job);
    troupe_ref ref = {0};
    int rc = troupe__spawn(worker, &job.opts, &(struct spawn_origin){ctx->actor, job.args}, &ref);
    if (rc)
        refuse_spawn(worker, job.args, rc, ref);
    troupe__message_free(&worker->pool, request);
}

static troupe_ref get_root(troupe_system *system)
{
    troupe__lock_acquire(&system->root_lock);
    troupe_ref root = system->root;
    troupe__lock_release(&system->root_lock);
    return root;
}

/* Make this one the supervisor unless another worker was quicker. Returns who it is. */
static troupe_ref set_root(troupe_system *system, troupe_ref candidate)
{
    struct actor *present;
    troupe__lock_acquire(&system->root_lock);
    if (troupe__find(system, system->root, &present))
        system->root = candidate;
    troupe_ref root = system->root;
    troupe__lock_release(&system->root_lock);
    return root;
}

/* The supervisor's id; it is started when it is first needed, by whichever worker needs it. */
static int find_root(troupe_worker *worker, troupe_ref *ret_root)
{
    static const char words[] = "another worker was quicker";
    troupe_system *system = worker->system;
    struct actor *present;
    *ret_root = get_root(system);
    if (troupe__find(system, *ret_root, &present) == 0)
        return 0;
    troupe_spawn_opts opts = {.behavior = troupe__root_behavior.name};
    troupe_ref candidate;
    int rc = troupe__spawn_kind(worker, &system->root_kind, &opts, &(struct spawn_origin){NULL, NULL}, &candidate);
    if (rc)
        return rc;
    *ret_root = set_root(system, candidate);
    if (!troupe_ref_equal(*ret_root, candidate))
        rc = troupe__stop_send(worker, candidate, TROUPE_STOP, (troupe_view){words, sizeof words - 1}, STOP_BY_PARENT);
    return rc;
}

int troupe__root_spawn(troupe_worker *worker, const troupe_spawn_opts *opts, struct message *args)
{
    troupe_ref root;
    int rc = find_root(worker, &root);
    if (rc)
        return rc;
    size_t behavior_bytes = strlen(opts->behavior) + 1;
    size_t type_bytes = opts->args.content_type ? strlen(opts->args.content_type) + 1 : 0;
    struct message *request = troupe__message_new_bare(
        &worker->pool, SYSTEM_SPAWN, sizeof(struct spawn_job) + behavior_bytes + opts->name.len + type_bytes);
    if (!request)
        return TROUPE_E_NO_MEMORY;
    struct spawn_job job = {.opts = *opts, .args = args};
    char *body = (char *)request + ((const char *)request->msg.body - (const char *)request), *at = body + sizeof job;
    job.opts.behavior = memcpy(at, opts->behavior, behavior_bytes);
    at += behavior_bytes;
    if (opts->name.len)
        job.opts.name.ptr = memcpy(at, opts->name.ptr, opts->name.len);
    at += opts->name.len;
    if (type_bytes)
        job.opts.args.content_type = memcpy(at, opts->args.content_type, type_bytes);
    job.opts.args.ptr = args->msg.body; /* the args live in their own message */
    job.opts.caller = (troupe_caller){0};
    memcpy(body, &job, sizeof job);
    rc = troupe__send_system(worker, root, request, SIGNAL_SYSTEM);
    if (rc)
        troupe__message_free(&worker->pool, request);
    return rc;
}
