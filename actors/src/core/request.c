/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests of outsiders: a call, a spawn, a stop, an info or a monitor whose answer goes to a function of the driver.
 *
 * A request takes a slot in its worker's table; what is sent carries slot and generation, so an answer that comes after
 * the deadline or a cancel finds nobody and is dropped. Its `done` runs once, on its worker.
 *
 * A call may run the actor at once: when its push claimed the mailbox (so nothing else is queued, and nobody else runs
 * it), the behavior is quick, and the worker is not inside a turn. Order and exclusion are those of the scheduler, as
 * it is the same claim. The reply then comes while troupe_request_call still runs, and no timer is armed.
 *
 * Thread: the owner of the worker. */
#include "core/mailbox.h"
#include "core/worker.h"

#include "base/mem.h"

/* ---- the table ---- */

static struct open_request *open_at(troupe_worker *worker, uint32_t slot)
{
    return &worker->request_blocks[slot / REQUESTS_BLOCK][slot % REQUESTS_BLOCK];
}

static bool add_block(troupe_worker *worker)
{
    if (!worker->request_blocks)
        worker->request_blocks = troupe__port_alloc_zeroed(REQUESTS_BLOCKS_MAX * sizeof worker->request_blocks[0]);
    if (!worker->request_blocks || worker->requests_count == REQUESTS_BLOCKS_MAX * REQUESTS_BLOCK)
        return false;
    struct open_request *block = troupe__port_alloc_zeroed(REQUESTS_BLOCK * sizeof *block);
    if (!block)
        return false;
    worker->request_blocks[worker->requests_count / REQUESTS_BLOCK] = block;
    for (uint32_t i = REQUESTS_BLOCK; i-- > 0;) {
        block[i].slot = worker->requests_count + i;
        atomic_store_relaxed(&block[i].generation, 1);
        block[i].next_free = worker->requests_free;
        worker->requests_free = block[i].slot + 1;
    }
    worker->requests_count += REQUESTS_BLOCK;
    return true;
}

static struct open_request *open_request(troupe_worker *worker, troupe_request *request, troupe_request_fn done)
{
    if (!worker->requests_free && !add_block(worker))
        return NULL;
    struct open_request *open = open_at(worker, worker->requests_free - 1);
    worker->requests_free = open->next_free;
    open->request = request;
    request->done = done;
    request->worker = worker;
    request->slot = open->slot;
    request->generation = atomic_load_relaxed(&open->generation);
    return open;
}

static void close_request(troupe_worker *worker, struct open_request *open)
{
    if (open->armed) {
        troupe__lock_acquire(&worker->wheel_lock);
        troupe__wheel_stop(&worker->wheel, &open->timer);
        troupe__lock_release(&worker->wheel_lock);
        open->armed = false;
    }
    if (open->demonitor)
        troupe__message_free(&worker->pool, open->demonitor);
    open->demonitor = NULL;
    open->request = NULL;
    atomic_store_relaxed(&open->generation, atomic_load_relaxed(&open->generation) + 1);
    open->next_free = worker->requests_free;
    worker->requests_free = open->slot + 1;
}

static uint64_t call_id_of(const struct open_request *open) 
{
    return (uint64_t)atomic_load_relaxed(&open->generation) << 32 | open->slot;
}

static struct open_request *find_open(troupe_worker *worker, uint64_t call_id)
{
    uint32_t slot = (uint32_t)call_id;
    struct open_request *open = slot < worker->requests_count ? open_at(worker, slot) : NULL;
    return open && open->request && atomic_load_relaxed(&open->generation) == (uint32_t)(call_id >> 32) ? open : NULL;
}

bool troupe__request_is_open(const troupe_system *system, uint32_t worker, uint64_t call_id)
{
    /* Its slot was there before the call that tells of it was sent. Relaxed: who hears late looks again. */
    const struct open_request *open = open_at(system->workers[worker], (uint32_t)call_id);
    return atomic_load_relaxed(&open->generation) == (uint32_t)(call_id >> 32);
}

void troupe__requests_fini(troupe_worker *worker)
{
    for (uint32_t i = 0; i < worker->requests_count; i++)
        if (open_at(worker, i)->demonitor) /* nobody waits for it any more */
            close_request(worker, open_at(worker, i));
    for (uint32_t i = 0; i < worker->requests_count / REQUESTS_BLOCK; i++)
        troupe__port_free(worker->request_blocks[i], REQUESTS_BLOCK * sizeof(struct open_request));
    troupe__port_free(worker->request_blocks, REQUESTS_BLOCKS_MAX * sizeof worker->request_blocks[0]);
    worker->request_blocks = NULL;
    worker->requests_count = worker->requests_free = 0;
}

/* ---- answers ---- */

void troupe__request_complete(troupe_worker *worker, uint64_t call_id, const troupe_answer *answer)
{
    struct open_request *open = find_open(worker, call_id);
    if (!open)
        return;
    troupe_request *request = open->request;
    close_request(worker, open);
    request->done(request, answer);
}

void troupe__request_on_message(troupe_worker *worker, struct message *message)
{
    const troupe_msg *msg = &message->msg;
    troupe_answer answer = {.error = msg->status, .ref = msg->from, .app_status = msg->app_status};
    troupe_exit exit;
    if (message->what == MESSAGE_DOWN) {
        exit = (troupe_exit){(enum troupe_exit_cause)message->cause, msg->status, {msg->body, msg->body_len}};
        answer.exit = &exit;
        if (exit.cause == TROUPE_EXIT_NOPROC) /* 0, or why the monitor could not be made */
            exit.error = 0;
        else
            answer.error = 0;
    } else if (msg->status) {
        answer.app_code = troupe_msg_app_code(msg);
        answer.detail = troupe_msg_detail(msg);
    } else if (message->what == SYSTEM_INFO) {
        answer.info = msg->body;
    } else if (message->what == SYSTEM_TIMERS) {
        answer.timers = msg->body;
    } else {
        answer.body = (troupe_view){msg->body, msg->body_len};
        answer.content_type = msg->content_type;
    }
    troupe__request_complete(worker, message->call_id, &answer);
    troupe__message_free(&worker->pool, message);
}

void troupe__request_on_due(troupe_worker *worker, struct wheel_entry *timer)
{
    static const char words[] = "no reply before the deadline";
    struct open_request *open = (struct open_request *)(void *)((char *)timer - offsetof(struct open_request, timer));
    counter_add(&worker->stats.timeouts, 1);
    troupe_answer answer = {.error = TROUPE_E_TIMEOUT, .detail = {words, sizeof words - 1}};
    troupe__request_complete(worker, call_id_of(open), &answer);
}

void troupe__request_refuse(troupe_request *request, troupe_request_fn done, int error, troupe_ref ref)
{
    troupe_answer answer = {.error = error, .ref = ref};
    request->done = NULL;
    request->worker = NULL;
    done(request, &answer);
}

void troupe_request_cancel(troupe_request *request)
{
    troupe_worker *worker = request->worker;
    struct open_request *open =
        worker ? find_open(worker, (uint64_t)request->generation << 32 | request->slot) : NULL;
    if (!open || open->request != request)
        return;
    struct message *demonitor = open->demonitor;
    open->demonitor = NULL;
    if (demonitor && troupe__send_system(worker, open->monitored, demonitor, SIGNAL_SYSTEM))
        troupe__message_free(&worker->pool, demonitor); /* it has ended: its down finds nobody */
    close_request(worker, open);
}

/* ---- ask ---- */

static void arm(troupe_worker *worker, struct open_request *open, uint64_t deadline_ns)
{
    troupe__lock_acquire(&worker->wheel_lock);
    troupe__wheel_start(&worker->wheel, &open->timer, deadline_ns);
    open->armed = true;
    troupe__lock_release(&worker->wheel_lock);
}

/* May this worker run the actor now? Whoever asks has claimed it. Queued actors get their slice after so many inline
 * turns; with none queued there is nobody to be fair to. */
static bool may_run_inline(troupe_worker *worker, const struct actor *actor)
{
    return !worker->in_turn && (worker->inline_left > 0 || runq_is_empty(&worker->runq)) &&
           !(atomic_load_relaxed(&actor->marks) & ACTOR_BLOCKS) &&
           !worker->system->config.no_inline &&
           atomic_load_relaxed(&actor_kind(actor)->message_ns) <= TROUPE_INLINE_TURN_NS_MAX;
}

static void run_or_schedule(troupe_worker *worker, struct actor *actor)
{
    if (!may_run_inline(worker, actor)) {
        troupe__worker_schedule(worker, actor);
        return;
    }
    if (worker->inline_left > 0)
        worker->inline_left--;
    counter_add(&worker->stats.turns_inline, 1);
    /* Timed alone: what the driver did since the last turn is not the actor's. */
    troupe__turn_begin_slice(worker);
    worker->precise_turns += worker->precise_turns == 0 && worker->system->config.clock_ns;
    troupe__turn_run(worker, actor);
}

static uint64_t deadline_after(const troupe_worker *worker, uint32_t timeout_ms)
{
    return worker->now_ns + (timeout_ms ? timeout_ms : worker->system->config.call_timeout_ms) * NS_PER_MS;
}

void troupe_request_call(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref to,
                         troupe_view type, troupe_body body, troupe_caller caller, uint32_t timeout_ms)
{
    int rc = 0;
    if (timeout_ms > TROUPE_CALL_TIMEOUT_MS_MAX || caller.subject.len > TROUPE_SUBJECT_BYTES_MAX)
        rc = TROUPE_E_INVALID;
    if (rc == 0 && atomic_load_relaxed(&worker->system->overloaded))
        rc = TROUPE_E_OVERLOADED;
    struct open_request *open = rc ? NULL : open_request(worker, request, done);
    if (!open) {
        troupe__request_refuse(request, done, rc ? rc : TROUPE_E_NO_MEMORY, to);
        return;
    }
    uint64_t call_id = call_id_of(open), deadline_ns = deadline_after(worker, timeout_ms);
    struct outgoing out = {.kind = TROUPE_MSG_CALL,
                           .type = type,
                           .body = &body,
                           .caller = &caller,
                           .reply_to = REPLY_REQUEST,
                           .call_id = call_id,
                           .deadline_ns = deadline_ns};
    struct actor *claimed = NULL;
    rc = troupe__send(worker, &to, &out, &claimed);
    if (rc) {
        close_request(worker, open);
        troupe__request_refuse(request, done, rc, to);
        return;
    }
    counter_add(&worker->stats.calls, 1);
    if (claimed)
        run_or_schedule(worker, claimed);
    open = find_open(worker, call_id); /* NULL: answered meanwhile */
    if (open)
        arm(worker, open, deadline_ns);
}

void troupe_request_spawn(troupe_worker *worker, troupe_request *request, troupe_request_fn done,
                          const troupe_spawn_opts *opts)
{
    int rc = troupe__spawn_check(opts);
    if (rc == 0 && !troupe_system_behavior(worker->system, troupe_view_of(opts->behavior)))
        rc = TROUPE_E_UNKNOWN_BEHAVIOR;
    if (rc == 0 && atomic_load_relaxed(&worker->system->draining))
        rc = TROUPE_E_DRAINING;
    if (rc == 0 && atomic_load_relaxed(&worker->system->overloaded))
        rc = TROUPE_E_OVERLOADED;
    struct open_request *open = rc ? NULL : open_request(worker, request, done);
    if (!open) {
        troupe__request_refuse(request, done, rc ? rc : TROUPE_E_NO_MEMORY, (troupe_ref){0});
        return;
    }
    uint64_t call_id = call_id_of(open);
    struct message *args =
        troupe__spawn_args(worker, opts, (troupe_ref){.home = *troupe__caller_home(worker->system, &opts->caller)});
    troupe_ref ref = {0};
    rc = TROUPE_E_NO_MEMORY;
    if (args) {
        args->reply_to = REPLY_REQUEST;
        args->reply_worker = (uint8_t)worker->index;
        args->call_id = call_id;
        if (opts->restart == TROUPE_TEMPORARY)
            rc = troupe__spawn(worker, opts, &(struct spawn_origin){NULL, args}, &ref);
        else
            rc = troupe__root_spawn(worker, opts, args);
        if (rc)
            troupe__message_free(&worker->pool, args);
    }
    if (rc) {
        close_request(worker, open);
        troupe__request_refuse(request, done, rc, ref);
        return;
    }
    /* The start has its own deadline; this one is for the case that it is not even reached. */
    uint32_t start_ms = opts->start_timeout_ms ? opts->start_timeout_ms : TROUPE_START_TIMEOUT_MS_DEFAULT;
    arm(worker, open, worker->now_ns + (start_ms + UINT64_C(1000)) * NS_PER_MS);
}

void troupe__request_ask(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         struct message *message, uint32_t signals, uint32_t timeout_ms)
{
    struct open_request *open = message ? open_request(worker, request, done) : NULL;
    int rc = TROUPE_E_NO_MEMORY;
    if (open) {
        message->reply_to = REPLY_REQUEST;
        message->reply_worker = (uint8_t)worker->index;
        message->call_id = call_id_of(open);
        message->msg.from = (troupe_ref){.home = worker->system->home};
        rc = troupe__send_system(worker, ref, message, signals);
    }
    if (rc) {
        if (message)
            troupe__inspect_drop_job(worker, message);
        if (message)
            troupe__message_free(&worker->pool, message);
        if (open)
            close_request(worker, open);
        troupe__request_refuse(request, done, rc, ref);
        return;
    }
    arm(worker, open, deadline_after(worker, timeout_ms));
}

void troupe_request_stop(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         enum troupe_stop_mode mode, troupe_view detail, uint32_t timeout_ms)
{
    detail = troupe__reason_cut(detail);
    struct message *message = troupe__message_new_bare(&worker->pool, SYSTEM_STOP, detail.len + 1);
    if (message) {
        troupe__message_set_text(message, detail);
        message->cause = (uint8_t)mode;
    }
    troupe__request_ask(worker, request, done, ref, message,
               SIGNAL_SYSTEM | (mode == TROUPE_KILL ? SIGNAL_KILL : SIGNAL_STOP), timeout_ms);
}

void troupe_request_info(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref,
                         uint32_t timeout_ms)
{
    troupe__request_ask(worker, request, done, ref,
               troupe__message_new_bare(&worker->pool, SYSTEM_INFO, sizeof(troupe_info)), SIGNAL_SYSTEM, timeout_ms);
}

/* ---- monitors ---- */

static struct message *new_bond_message(troupe_worker *worker, enum message_what what, uint64_t call_id)
{
    struct message *message = troupe__message_new_bare(&worker->pool, what, 0);
    if (message) {
        message->reply_to = REPLY_REQUEST;
        message->reply_worker = (uint8_t)worker->index;
        message->call_id = call_id;
        message->msg.from = (troupe_ref){.home = worker->system->home, .slot = worker->index + 1};
    }
    return message;
}

static int send_monitor(troupe_worker *worker, struct open_request *open, troupe_ref ref)
{
    struct message *message = new_bond_message(worker, SYSTEM_MONITOR, call_id_of(open));
    open->demonitor = new_bond_message(worker, SYSTEM_DEMONITOR, call_id_of(open));
    open->monitored = ref;
    int rc = TROUPE_E_NO_MEMORY;
    if (message && open->demonitor)
        rc = troupe__send_system(worker, ref, message, SIGNAL_SYSTEM);
    if (rc && message)
        troupe__message_free(&worker->pool, message);
    return rc;
}

void troupe_request_monitor(troupe_worker *worker, troupe_request *request, troupe_request_fn done, troupe_ref ref)
{
    struct open_request *open = open_request(worker, request, done);
    int rc = open ? send_monitor(worker, open, ref) : TROUPE_E_NO_MEMORY;
    if (rc == 0)
        return;
    if (open)
        close_request(worker, open);
    troupe_exit exit = {.cause = troupe__bond_cause_without(worker->system, ref), .detail = {"", 0}};
    troupe_answer answer = {.error = rc == TROUPE_E_NO_MEMORY ? rc : 0, .ref = ref, .exit = &exit};
    request->done = NULL;
    request->worker = NULL;
    done(request, &answer);
}
